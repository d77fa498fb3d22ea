/** The view over a real chain whose RPC can be taken away: what the enclave and the journal are told. */

import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JsonRpcProvider, Wallet } from 'ethers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { deployPaymentChannels } from '../../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../../contracts/development-chain.ts';
import { PaymentChannels } from '../../contracts/payment-channels.ts';
import { openRpc } from '../../contracts/rpc.ts';
import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import { domainSeparator, hashChannelIdentity } from '../../enclave/core/encoding.ts';
import { type Address, address, bytes16, NATIVE } from '../../enclave/core/ids.ts';
import { MemoryJournal } from '../journal/memory-journal.ts';
import { CoreEnclave } from '../testing/core-enclave.ts';
import { PLAIN } from '../testing/network.ts';
import { ChainConnection } from './connection.ts';
import { ChainReporter } from './reporter.ts';
import { ChainView } from './view.ts';

let chain: DevelopmentChain;
let contract: Address;
let fromBlock: number;
let channels: PaymentChannels;
let provider: JsonRpcProvider;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  chain = await startDevelopmentChain();
  provider = await openRpc({ url: chain.url });
  const signer = new Wallet(chain.accounts[9]?.privateKey ?? '').connect(provider);
  ({ address: contract, blockNumber: fromBlock } = await deployPaymentChannels(signer));
  channels = await PaymentChannels.connect({ signer, address: contract });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  provider.destroy();
  await chain.stop();
});

/** An RPC that passes everything on while it is up. */
async function openRelay(port = 0): Promise<{ url: string; port: number; down(): Promise<void> }> {
  const server: Server = createServer((incoming, outgoing) => {
    const onward = request(chain.url, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  const down = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${bound}`, port: bound, down };
}

/** Two enclaves that agreed to a channel; the first one's chain view is under test. */
async function setUp(salt: number) {
  const deployment = {
    chainId: BigInt(chain.chainId),
    contract,
    domain: domainSeparator(BigInt(chain.chainId), contract),
  };
  const [own, peer] = [new CoreEnclave(1, deployment, PLAIN), new CoreEnclave(2, deployment, PLAIN)];
  const payout = chain.accounts[1]?.address ?? NATIVE;
  const channel: ChannelIdentity = {
    ...{ partyA: own.identity, partyB: peer.identity, payoutA: payout, payoutB: payout },
    ...{ token: NATIVE, challengePeriod: 0, salt: bytes16(`0x${salt.toString(16).padStart(32, '0')}`) },
  };
  for (const [one, other, side] of [
    [own, peer, 'A'],
    [peer, own, 'B'],
  ] as const) {
    const { credential, certificates } = await other.run({ kind: 'describe' });
    await one.run({ kind: 'introduce', credential, certificates });
    await one.run({ kind: 'agree', channel, side, peer: other.identity });
  }
  for (const [one, other] of [
    [own, peer],
    [peer, own],
  ] as const) {
    const { messages } = await other.run({ kind: 'resend', peer: one.identity });
    for (const message of messages) await one.run({ kind: 'deliver', message });
  }
  return { own, peer, channel, channelId: hashChannelIdentity(deployment.domain, channel) };
}

function watch(enclave: CoreEnclave, rpcUrl: string, journal = new MemoryJournal()) {
  const owner = new Wallet(chain.accounts[3]?.privateKey ?? '');
  const connection = new ChainConnection({ rpcUrl, chainId: BigInt(chain.chainId), contract, owner });
  const told: string[] = [];
  const relayed: Uint8Array[] = [];
  const reporter = new ChainReporter({
    enclave,
    relay: (_, messages) => relayed.push(...messages),
    outcomeAt: (paymentId, block) => connection.outcomeAt(paymentId, block),
    nowS: () => enclave.nowS,
    onDeposit: ({ own, total }) => told.push(`${own ? 'own' : 'peer'} deposit ${total}`),
    onSettled: ({ creditA, creditB }) => told.push(`settled ${creditA} ${creditB}`),
    onResolved: () => Promise.resolve(),
    onRefused: ({ code }) => told.push(code),
  });
  const view = new ChainView({
    ...{ connection, reporter, journal, fromBlock, address: contract },
    ...{ chainId: BigInt(chain.chainId), confirmations: 1, pollMs: 20 },
    onTrouble: ({ code }) => told.push(code),
    onRecovered: () => told.push('recovered'),
  });
  cleanups.push(() => view.stop().then(() => connection.close()));
  view.start();
  return { view, told, relayed, journal };
}

async function until(isIt: () => boolean): Promise<void> {
  while (!isIt()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('a terminal’s own view of the chain', () => {
  it('has the enclave confirm the peer’s deposits, and never its own', async () => {
    const { own, peer, channel, channelId } = await setUp(1);
    const { told, relayed } = watch(own, chain.url);
    await channels.open({ identity: channel, side: 'A', amount: 70n });
    await channels.deposit({ identity: channel, side: 'B', amount: 30n });
    await until(() => told.includes('peer deposit 30') && relayed.length > 0);
    const { channels: views } = await own.run({ kind: 'listChannels' });
    expect(views).toMatchObject([{ channelId, ownDeposit: 0n, peerDeposit: 30n }]);
    for (const message of relayed) await peer.run({ kind: 'deliver', message });
    expect((await peer.run({ kind: 'listChannels' })).channels).toMatchObject([{ ownDeposit: 30n }]);
  });

  it('goes on at its cursor after a restart, with what happened meanwhile', async () => {
    const { own, channel } = await setUp(2);
    const first = watch(own, chain.url);
    await channels.open({ identity: channel, side: 'B', amount: 5n });
    await until(() => first.relayed.length > 0);
    await first.view.stop();
    await channels.deposit({ identity: channel, side: 'B', amount: 6n });
    const second = watch(own, chain.url, first.journal);
    await until(() => second.told.includes('peer deposit 11'));
    expect(second.told).not.toContain('peer deposit 5');
    expect(await second.journal.deposits()).toMatchObject([{ side: 'B', total: 11n }]);
  });

  it('says once that the RPC is dead, also from the start, and goes on when it is back', async () => {
    const { own, channel } = await setUp(3);
    const relay = await openRelay();
    await relay.down();
    const { told } = watch(own, relay.url);
    await until(() => told.includes('RPC_UNREACHABLE'));
    const again = await openRelay(relay.port);
    await channels.open({ identity: channel, side: 'B', amount: 5n });
    await until(() => told.includes('peer deposit 5'));
    await again.down();
    await until(() => told.filter((each) => each === 'RPC_UNREACHABLE').length === 2);
    await channels.deposit({ identity: channel, side: 'B', amount: 1n });
    const last = await openRelay(relay.port);
    cleanups.unshift(() => last.down());
    await until(() => told.includes('peer deposit 6'));
    const words = ['RPC_UNREACHABLE', 'recovered', 'RPC_UNREACHABLE', 'recovered'];
    await until(() => told.filter((each) => words.includes(each)).length === 4);
    expect(told.filter((each) => words.includes(each))).toEqual(words);
  });

  it('tells the enclave that a channel is settled, so that nothing more is signed there', async () => {
    const { own, peer, channel, channelId } = await setUp(4);
    const { told } = watch(own, chain.url);
    await channels.open({ identity: channel, side: 'B', amount: 9n });
    await until(() => told.includes('peer deposit 9'));
    const { exit } = await peer.run({ kind: 'close', channelId });
    const { sentA, sentB, signature } = exit;
    await channels.close({ identity: channel, sentA, sentB, signature });
    await until(() => told.includes('settled 0 9'));
    const settled = async () => (await own.run({ kind: 'listChannels' })).channels[0]?.settled;
    while (!(await settled())) await new Promise((resolve) => setTimeout(resolve, 10));
    await expect(own.run({ kind: 'close', channelId })).rejects.toMatchObject({ code: 'CHANNEL_SETTLED' });
  });

  it('ignores channels that are not its own', async () => {
    const { own, channel } = await setUp(5);
    const { told, journal } = watch(own, chain.url);
    const foreign = { ...channel, partyA: address(`0x${'31'.repeat(20)}`) };
    await channels.open({ identity: foreign, side: 'A', amount: 5n });
    await channels.open({ identity: channel, side: 'A', amount: 6n });
    await until(() => told.includes('own deposit 6'));
    expect(told).toEqual(['own deposit 6']);
    expect(await journal.deposits()).toHaveLength(1);
  });
});
