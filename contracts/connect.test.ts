/** Connecting to a contract: what is verified before anything can be sent, and how refusals read. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDevelopmentChain } from './development-chain.ts';
import { PaymentChannels } from './payment-channels.ts';
import { openRpc } from './rpc.ts';
import { freshAddress, makeChannel, type Stage, setStage } from './testing/fixture.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.chain.stop());

test('a contract is known by its chain and derives the same domain as we do', async () => {
  const { provider, channels } = stage;
  const read = await PaymentChannels.connect({ provider, address: channels.address, chainId: 31337n });
  expect(read.chainId).toBe(31337n);
  expect(read.domain).toBe(channels.domain);
});

test('another chain than the configured one is refused', async () => {
  const { provider, channels, chain } = stage;
  const connected = PaymentChannels.connect({ provider, address: channels.address, chainId: 1n });
  await expect(connected).rejects.toMatchObject({ code: 'WRONG_CHAIN' });
  await expect(openRpc({ url: chain.url, chainId: 1n })).rejects.toMatchObject({ code: 'WRONG_CHAIN' });
});

test('an address without a contract, or with another one, is refused', async () => {
  const { provider, signer } = stage;
  const missing = PaymentChannels.connect({ provider, address: freshAddress() });
  await expect(missing).rejects.toMatchObject({ code: 'NO_CONTRACT' });
  // Code that returns nothing whatever is asked.
  const other = await (await signer.sendTransaction({ data: '0x6001600c60003960016000f300' })).wait();
  const address = other?.contractAddress ?? '';
  const connected = PaymentChannels.connect({ provider, address: address.toLowerCase() as never });
  await expect(connected).rejects.toMatchObject({ code: 'NO_CONTRACT' });
});

test('an RPC that is down, or is none, is told from one that answers', async () => {
  const gone = await startDevelopmentChain();
  const provider = await openRpc({ url: gone.url });
  await gone.stop();
  await expect(openRpc({ url: gone.url })).rejects.toMatchObject({ code: 'RPC_UNREACHABLE' });
  const connected = PaymentChannels.connect({ provider, address: freshAddress() });
  await expect(connected).rejects.toMatchObject({ code: 'RPC_UNREACHABLE' });

  const page = createServer((_, response) => response.end('<html>hello</html>')).listen(0, '127.0.0.1');
  await once(page, 'listening');
  const { port } = page.address() as AddressInfo;
  await expect(openRpc({ url: `http://127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'RPC_REFUSED' });
  page.close();
});

test('reading needs no key, sending does', async () => {
  const { provider, channels } = stage;
  const read = await PaymentChannels.connect({ provider, address: channels.address });
  const { identity, id } = makeChannel(channels.domain);
  expect((await read.channel(id)).status).toBe('unknown');
  await expect(read.open({ identity, side: 'A', amount: 1n })).rejects.toThrow('connect with a signer');
});
