/** Channels that hold ERC-20 tokens (PROTOCOL.md section 3). Hostile tokens: forge/Strangers.t.sol. */

import { Contract, ContractFactory } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Address, address } from '../enclave/core/ids.ts';
import { testTokenAbi, testTokenBytecode } from './generated/testing.ts';
import type { PaymentChannels } from './payment-channels.ts';
import { freshAddress, makeChannel, type Stage, setStage, signExit, type TestChannel } from './testing/fixture.ts';
import { readToken, tokenAllowance, tokenBalance } from './token.ts';

const MOODS = { HONEST: 0, SILENT: 1, FEE: 2, REFUSE: 3, MUTE: 9 } as const;

let stage: Stage;
let channels: PaymentChannels;
let payer: Address;
beforeAll(async () => {
  stage = await setStage();
  channels = stage.channels;
  payer = address(stage.signer.address);
});
afterAll(() => stage.chain.stop());

/** A token of which the signer holds 1,000. */
async function makeToken(mood: keyof typeof MOODS = 'HONEST'): Promise<Address> {
  const deployed = await new ContractFactory(testTokenAbi, testTokenBytecode, stage.signer).deploy();
  const token = address(await deployed.getAddress());
  await tell(token, 'mint', [payer, 1_000n]);
  if (mood !== 'HONEST') await tell(token, 'setMood', [MOODS[mood]]);
  return token;
}

async function tell(token: Address, name: string, args: unknown[]): Promise<void> {
  const sent = (await new Contract(token, testTokenAbi, stage.signer).getFunction(name)(...args)) as {
    wait(): Promise<unknown>;
  };
  await sent.wait();
}

/** Open with 100 from the signer. */
async function opened(token: Address): Promise<TestChannel> {
  const channel = makeChannel(channels.domain, { token });
  await channels.approve({ token, amount: 100n });
  await channels.open({ identity: channel.identity, side: 'A', amount: 100n });
  return channel;
}

const held = (token: Address, account: Address = channels.address): Promise<bigint> =>
  tokenBalance(stage.provider, { token, account });

test.each(['HONEST', 'SILENT'] as const)(
  'a channel holds a token, is closed and paid out (a token that is %s)',
  async (mood) => {
    const token = await makeToken(mood);
    const channel = await opened(token);
    expect(await channels.channel(channel.id)).toEqual({ status: 'open', depositA: 100n, depositB: 0n });
    expect(await held(token)).toBe(100n);
    await channels.close(signExit(channels.domain, channel, { sentA: 30n }));
    const account = channel.identity.payoutB;
    expect(await channels.credit({ account, token })).toBe(30n);
    expect(await channels.credit({ account })).toBe(0n);
    await channels.withdraw({ account, token });
    expect(await held(token, account)).toBe(30n);
    expect(await held(token)).toBe(70n);
  },
);

test('of a token that takes a fee, what arrived is credited', async () => {
  const token = await makeToken('FEE');
  const channel = await opened(token);
  expect(await channels.channel(channel.id)).toEqual({ status: 'open', depositA: 90n, depositB: 0n });
  expect(await held(token)).toBe(90n);
});

test('a token that was not approved, or refuses, deposits nothing and says so', async () => {
  const token = await makeToken();
  const { identity } = makeChannel(channels.domain, { token });
  const unapproved = channels.open({ identity, side: 'A', amount: 100n });
  await expect(unapproved).rejects.toMatchObject({
    code: 'TokenRefused',
    facts: { token: expect.stringMatching(new RegExp(token, 'i')) as string, amount: '100' },
  });
  await channels.approve({ token, amount: 100n });
  await tell(token, 'setMood', [MOODS.REFUSE]);
  const refused = channels.open({ identity, side: 'A', amount: 100n });
  await expect(refused).rejects.toThrow(/has approved this contract; the token itself may also refuse/);
});

test('what is no token is refused before anything is sent', async () => {
  for (const token of [freshAddress(), channels.address, await makeToken('MUTE')]) {
    const { identity } = makeChannel(channels.domain, { token });
    const failure = channels.open({ identity, side: 'A', amount: 1n });
    await expect(failure).rejects.toMatchObject({ code: 'UnsupportedToken' });
    await expect(readToken(stage.provider, token)).rejects.toMatchObject({ code: 'NO_CONTRACT' });
  }
});

test('approving sends nothing where it may be fetched already, and zero in between where the token asks for it', async () => {
  const token = await makeToken();
  const allowance = (): Promise<bigint> =>
    tokenAllowance(stage.provider, { token, owner: payer, spender: channels.address });
  expect(await channels.approve({ token, amount: 5n })).toHaveLength(1);
  expect(await channels.approve({ token, amount: 4n })).toEqual([]);
  expect(await allowance()).toBe(5n);
  expect(await channels.approve({ token, amount: 6n })).toHaveLength(2);
  expect(await allowance()).toBe(6n);
});

test('a token tells its symbol and decimals, of which only what is printable is taken', async () => {
  expect(await readToken(stage.provider, await makeToken())).toEqual({ symbol: 'TEST', decimals: 6 });
});

test('channels of several tokens settle in one call, and none pays for another', async () => {
  const tokens = [await makeToken(), await makeToken()];
  const made = await Promise.all(tokens.map(opened));
  const coin = makeChannel(channels.domain);
  await channels.open({ identity: coin.identity, side: 'A', amount: 100n });
  const before = await stage.provider.getBalance(channels.address);
  await channels.settle([...made, coin].map((channel) => signExit(channels.domain, channel, { sentA: 1_000n })));
  for (const [index, token] of tokens.entries()) {
    const account = made[index]?.identity.payoutB ?? freshAddress();
    expect(await channels.credit({ account, token })).toBe(100n);
    await channels.withdraw({ account, token });
    expect(await held(token)).toBe(0n);
  }
  expect(await stage.provider.getBalance(channels.address)).toBe(before);
});
