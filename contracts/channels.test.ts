/** Opening, depositing, closing and withdrawing (PROTOCOL.md section 3). */

import { ContractFactory, Interface, toBeHex, Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { address, type Hex, NATIVE, ZERO_ADDRESS } from '../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../enclave/core/limits.ts';
import { deployPaymentChannels } from './deploy.ts';
import { ContractRevert, revertCodes } from './errors.ts';
import { hostileReceiverAbi, hostileReceiverBytecode } from './generated/testing.ts';
import { contractInterface } from './interface.ts';
import { PaymentChannels } from './payment-channels.ts';
import {
  freshAddress,
  makeChannel,
  refusal,
  type Stage,
  setStage,
  signExit,
  signerOf,
  type TestChannel,
} from './testing/fixture.ts';

let stage: Stage;
let channels: PaymentChannels;
beforeAll(async () => {
  stage = await setStage();
  channels = stage.channels;
});
afterAll(() => stage.chain.stop());

/** A channel with these deposits, open. */
async function opened(
  depositA: bigint,
  depositB = 0n,
  fields: Parameters<typeof makeChannel>[1] = {},
): Promise<TestChannel> {
  const channel = makeChannel(channels.domain, fields);
  await channels.open({ identity: channel.identity, side: 'A', amount: depositA });
  if (depositB > 0n) await channels.deposit({ identity: channel.identity, side: 'B', amount: depositB });
  return channel;
}

async function close(channel: TestChannel, sums: { sentA?: bigint; sentB?: bigint } = {}): Promise<unknown> {
  return channels.close(signExit(channels.domain, channel, sums));
}

const call = (name: string, args: unknown[], value = 0n): Promise<string> =>
  refusal(stage.signer, { to: channels.address, data: contractInterface.encodeFunctionData(name, args), value });

test('every custom error of the contract has a sentence, and no sentence is left over', () => {
  const names: string[] = [];
  contractInterface.forEachError((fragment) => names.push(fragment.name));
  expect([...revertCodes].sort()).toEqual(names.sort());
});

test('a channel is unknown until it is opened with a deposit', async () => {
  const channel = makeChannel(channels.domain);
  expect(await channels.channel(channel.id)).toEqual({ status: 'unknown', depositA: 0n, depositB: 0n });
  const sent = await channels.open({ identity: channel.identity, side: 'B', amount: 7n });
  expect(sent.gasUsed).toBeGreaterThan(0n);
  expect(await channels.channel(channel.id)).toEqual({ status: 'open', depositA: 0n, depositB: 7n });
});

test('open on an open channel is a deposit, and deposits of each side add up', async () => {
  const channel = await opened(5n, 6n);
  await channels.open({ identity: channel.identity, side: 'B', amount: 10n });
  await channels.deposit({ identity: channel.identity, side: 'A', amount: 100n });
  expect(await channels.channel(channel.id)).toEqual({ status: 'open', depositA: 105n, depositB: 16n });
});

test('a deposit to a channel that was never opened is refused', async () => {
  const { identity, id } = makeChannel(channels.domain);
  const failure = channels.deposit({ identity, side: 'A', amount: 1n });
  await expect(failure).rejects.toMatchObject({ code: 'UnknownChannel', facts: { id } });
});

test('a deposit of zero is refused, to open as well as to deposit', async () => {
  const { identity } = await opened(1n);
  await expect(channels.open({ identity, side: 'A', amount: 0n })).rejects.toMatchObject({ code: 'ZeroDeposit' });
  await expect(channels.deposit({ identity, side: 'A', amount: 0n })).rejects.toMatchObject({ code: 'ZeroDeposit' });
});

test('coins that are not exactly the deposit are refused', async () => {
  const { identity } = makeChannel(channels.domain);
  expect(await call('open', [identity, 0, 5n], 4n)).toBe('WrongValue');
  expect(await call('open', [identity, 0, 5n], 6n)).toBe('WrongValue');
});

test('a channel holds at most 2^128 - 1 on both sides together', async () => {
  const channel = await opened(1n);
  const { signer, provider } = stage;
  await provider.send('anvil_setBalance', [signer.address, toBeHex(2n ** 130n)]);
  const tooMuch = channels.deposit({ identity: channel.identity, side: 'B', amount: MAX_AMOUNT });
  await expect(tooMuch).rejects.toMatchObject({ code: 'DepositTooLarge' });
  // In two parts: the development chain cannot count a transaction's cost above 2^128.
  await channels.deposit({ identity: channel.identity, side: 'B', amount: 2n ** 127n });
  await channels.deposit({ identity: channel.identity, side: 'B', amount: MAX_AMOUNT - 2n ** 127n - 1n });
  expect(await channels.channel(channel.id)).toEqual({ status: 'open', depositA: 1n, depositB: MAX_AMOUNT - 1n });
  await close(channel, { sentB: MAX_AMOUNT - 1n });
  expect(await channels.credit({ account: channel.identity.payoutA })).toBe(MAX_AMOUNT);
});

test('an identity by which money could be lost is never opened', async () => {
  const { partyA } = makeChannel(channels.domain).identity;
  const bad = [
    { partyA, partyB: partyA },
    { partyA: ZERO_ADDRESS },
    { partyB: ZERO_ADDRESS },
    { payoutA: ZERO_ADDRESS },
    { payoutB: ZERO_ADDRESS },
  ];
  for (const fields of bad) {
    const { identity } = makeChannel(channels.domain, fields);
    const failure = channels.open({ identity, side: 'A', amount: 1n });
    await expect(failure).rejects.toMatchObject({ code: 'InvalidIdentity' });
  }
});

test('a close credits both payout addresses by what was sent', async () => {
  const channel = await opened(100n, 50n);
  await close(channel, { sentA: 30n, sentB: 5n });
  expect(await channels.credit({ account: channel.identity.payoutA })).toBe(75n);
  expect(await channels.credit({ account: channel.identity.payoutB })).toBe(75n);
});

test('the signature of either party closes a channel, that of a stranger does not', async () => {
  const byB = await opened(10n);
  await channels.close(signExit(channels.domain, byB, { by: byB.keyB }));
  const channel = await opened(10n);
  const stranger = signExit(channels.domain, channel, { by: makeChannel(channels.domain).keyA });
  await expect(channels.close(stranger)).rejects.toMatchObject({ code: 'InvalidSignature' });
});

test('a signature for other sums, of high s or of another length is refused', async () => {
  const channel = await opened(10n);
  const exit = signExit(channels.domain, channel, { sentA: 3n });
  await expect(channels.close({ ...exit, sentA: 4n })).rejects.toMatchObject({ code: 'InvalidSignature' });
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = order - BigInt(`0x${exit.signature.slice(66, 130)}`);
  const v = exit.signature.endsWith('1b') ? '1c' : '1b';
  const highS = `${exit.signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}` as Hex;
  for (const signature of [highS, exit.signature.slice(0, -2) as Hex, `${exit.signature}00` as Hex, '0x' as Hex]) {
    await expect(channels.close({ ...exit, signature })).rejects.toMatchObject({ code: 'InvalidSignature' });
  }
  await channels.close(exit);
});

test('what was signed for one channel or one contract settles no other', async () => {
  const [one, other] = [await opened(10n), await opened(10n)];
  const exit = signExit(channels.domain, one, { sentA: 3n });
  const replayed = channels.close({ ...exit, identity: other.identity });
  await expect(replayed).rejects.toMatchObject({ code: 'InvalidSignature' });

  const second = await setSecondContract();
  const same = { identity: one.identity, side: 'A' as const, amount: 10n };
  await second.open(same);
  await expect(second.close(exit)).rejects.toMatchObject({ code: 'InvalidSignature' });
});

async function setSecondContract(): Promise<PaymentChannels> {
  const signer = await signerOf(stage.chain, 1);
  const deployed = await deployPaymentChannels(signer);
  return PaymentChannels.connect({ signer, address: deployed.address });
}

test('a settled channel stays settled: no close, no deposit, no opening', async () => {
  const channel = await opened(10n);
  const { identity } = channel;
  await close(channel);
  expect(await channels.channel(channel.id)).toEqual({ status: 'settled', depositA: 0n, depositB: 0n });
  await expect(close(channel, { sentA: 1n })).rejects.toMatchObject({ code: 'ChannelSettled' });
  await expect(channels.open({ identity, side: 'A', amount: 1n })).rejects.toMatchObject({ code: 'ChannelSettled' });
  await expect(channels.deposit({ identity, side: 'A', amount: 1n })).rejects.toMatchObject({ code: 'ChannelSettled' });
});

test('closing a channel that was never opened is refused', async () => {
  await expect(close(makeChannel(channels.domain))).rejects.toMatchObject({ code: 'UnknownChannel' });
});

test('sums beyond what a channel holds are clipped to it, and never touch the money of another', async () => {
  const [greedyA, greedyB, huge] = [await opened(10n, 5n), await opened(10n, 5n), await opened(10n, 5n)];
  await close(greedyA, { sentB: MAX_AMOUNT });
  expect(await channels.credit({ account: greedyA.identity.payoutA })).toBe(15n);
  expect(await channels.credit({ account: greedyA.identity.payoutB })).toBe(0n);
  await close(greedyB, { sentA: MAX_AMOUNT });
  expect(await channels.credit({ account: greedyB.identity.payoutA })).toBe(0n);
  expect(await channels.credit({ account: greedyB.identity.payoutB })).toBe(15n);
  await close(huge, { sentA: MAX_AMOUNT, sentB: MAX_AMOUNT - 2n });
  expect(await channels.credit({ account: huge.identity.payoutA })).toBe(8n);
  expect(await channels.credit({ account: huge.identity.payoutB })).toBe(7n);
});

test('both sides may be paid out at one address, and credits of several channels add up', async () => {
  const payout = freshAddress();
  const one = await opened(10n, 5n, { payoutA: payout, payoutB: payout });
  const other = await opened(3n, 0n, { payoutA: payout });
  await close(one, { sentA: 4n });
  await close(other);
  expect(await channels.credit({ account: payout })).toBe(18n);
});

test('anyone may have a credit paid out to its account, once', async () => {
  const channel = await opened(42n);
  await close(channel);
  const account = channel.identity.payoutA;
  await channels.withdraw({ account });
  expect(await stage.provider.getBalance(account)).toBe(42n);
  expect(await channels.credit({ account })).toBe(0n);
  await expect(channels.withdraw({ account })).rejects.toMatchObject({ code: 'NothingToWithdraw' });
});

test('only the account itself may have its credit sent elsewhere, and not into nothing', async () => {
  const owner = await signerOf(stage.chain, 2);
  const account = address(owner.address);
  await close(await opened(42n, 0n, { payoutA: account }));
  const to = freshAddress();
  await expect(channels.withdraw({ account, to })).rejects.toMatchObject({ code: 'NotAccount' });
  const own = await PaymentChannels.connect({ signer: owner, address: channels.address });
  await expect(own.withdraw({ account, to: ZERO_ADDRESS })).rejects.toMatchObject({ code: 'InvalidReceiver' });
  await own.withdraw({ account, to });
  expect(await stage.provider.getBalance(to)).toBe(42n);
});

test('a credit that there is not cannot be asked for, whatever the token', async () => {
  const failure = channels.withdraw({ account: freshAddress(), token: freshAddress() });
  await expect(failure).rejects.toMatchObject({ code: 'NothingToWithdraw' });
});

const MOODS = { REFUSE: 1, REENTER: 2, BURN: 3, FLOOD: 4 } as const;

test.each(Object.entries(MOODS))('a receiver in the mood to %s harms only itself', async (_, mood) => {
  const hostileInterface = new Interface(hostileReceiverAbi);
  const deployer = await signerOf(stage.chain, 3);
  const factory = new ContractFactory(hostileInterface, hostileReceiverBytecode, deployer);
  const hostile = await factory.deploy(channels.address);
  await hostile.waitForDeployment();
  const account = address(await hostile.getAddress());
  const tell = async (name: string, args: unknown[]): Promise<void> => {
    const data = hostileInterface.encodeFunctionData(name, args);
    await (await deployer.sendTransaction({ to: account, data, gasLimit: 1_000_000n })).wait();
  };
  const channel = await opened(10n, 5n, { payoutA: account });
  await close(channel);

  await tell('setMood', [mood]);
  const before = await stage.provider.getBalance(channels.address);
  await expect(channels.withdraw({ account })).rejects.toMatchObject({ code: 'TransferFailed' });
  expect(await channels.credit({ account })).toBe(10n);
  expect(await stage.provider.getBalance(channels.address)).toBe(before);
  await channels.withdraw({ account: channel.identity.payoutB });
  expect(await stage.provider.getBalance(channel.identity.payoutB)).toBe(5n);

  const elsewhere = freshAddress();
  await tell('withdrawTo', [elsewhere]);
  expect(await stage.provider.getBalance(elsewhere)).toBe(10n);
});

test('coins that are just sent to the contract are refused', async () => {
  expect(await refusal(stage.signer, { to: channels.address, value: 1n })).toBe('REVERTED');
});

test('two calls at once from one key do not race for a nonce', async () => {
  const made = Array.from({ length: 5 }, () => makeChannel(channels.domain).identity);
  const sent = await Promise.all(made.map((identity) => channels.open({ identity, side: 'A', amount: 1n })));
  expect(new Set(sent.map((each) => each.transactionHash)).size).toBe(5);
});

test('what the contract refuses is told before anything is sent, in words', async () => {
  const nonce = await stage.provider.getTransactionCount(stage.signer.address);
  const failure = await close(makeChannel(channels.domain)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ContractRevert);
  expect(String(failure)).toMatch(/No channel 0x[0-9a-f]{64} was opened in this contract/);
  expect(await stage.provider.getTransactionCount(stage.signer.address)).toBe(nonce);
});

test('the contract keeps exactly what channels and credits are owed', async () => {
  const before = await stage.provider.getBalance(channels.address);
  const channel = await opened(100n, 11n);
  expect(await stage.provider.getBalance(channels.address)).toBe(before + 111n);
  await close(channel, { sentA: 33n });
  await channels.withdraw({ account: channel.identity.payoutA });
  await channels.withdraw({ account: channel.identity.payoutB, token: NATIVE });
  expect(await stage.provider.getBalance(channels.address)).toBe(before);
});

test('a refusal that is only found in the block is decoded as well', async () => {
  const channel = await opened(10n);
  const rival = await PaymentChannels.connect({ signer: await signerOf(stage.chain, 4), address: channels.address });
  const exit = signExit(channels.domain, channel);
  await stage.provider.send('evm_setAutomine', [false]);
  const pending = async (): Promise<unknown[]> => {
    const block = (await stage.provider.send('eth_getBlockByNumber', ['pending', false])) as {
      transactions: unknown[];
    };
    return block.transactions;
  };
  try {
    const calls = Promise.allSettled([channels.close(exit), rival.close(exit)]);
    // Neither knows of the other: both were found good before either was mined.
    await expect.poll(async () => (await pending()).length, { timeout: 10_000 }).toBe(2);
    await stage.provider.send('anvil_mine', ['0x1']);
    const refused = (await calls).filter((call) => call.status === 'rejected').map((call): unknown => call.reason);
    expect(refused).toMatchObject([{ code: 'ChannelSettled', facts: { id: channel.id } }]);
    expect(String((refused[0] as ContractRevert).transactionHash)).toMatch(/^0x[0-9a-f]{64}$/);
  } finally {
    await stage.provider.send('evm_setAutomine', [true]);
  }
});

test('an account that cannot pay is told so', async () => {
  const poor = new Wallet(`0x${'42'.repeat(32)}`, stage.provider);
  const unfunded = await PaymentChannels.connect({ signer: poor, address: channels.address });
  const { identity } = makeChannel(channels.domain);
  await expect(unfunded.open({ identity, side: 'A', amount: 1n })).rejects.toMatchObject({
    code: 'INSUFFICIENT_FUNDS',
  });
});

test('a transaction that is in no block after a while is told apart from one that failed', async () => {
  const signer = await signerOf(stage.chain, 5);
  const hasty = await PaymentChannels.connect({ signer, address: channels.address, waitMs: 100 });
  const { identity, id } = makeChannel(channels.domain);
  await stage.provider.send('evm_setAutomine', [false]);
  try {
    const failure = hasty.open({ identity, side: 'A', amount: 1n });
    await expect(failure).rejects.toMatchObject({ code: 'NOT_MINED' });
    await expect(failure).rejects.toThrow(/in no block after 0\.1 s\. It may still be mined/);
    await stage.provider.send('anvil_mine', ['0x1']);
    expect(await channels.channel(id)).toMatchObject({ status: 'open' });
  } finally {
    await stage.provider.send('evm_setAutomine', [true]);
  }
});
