/** Exits, outcomes and records (PROTOCOL.md section 5). */

import { TypedDataEncoder } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PendingPhase } from '../enclave/core/encoding.ts';
import { type Hex, ZERO_32 } from '../enclave/core/ids.ts';
import { contractInterface } from './interface.ts';
import type { PaymentChannels, SignedExit } from './payment-channels.ts';
import {
  makeChannel,
  makePayment,
  refusal,
  type Stage,
  setStage,
  signExit,
  signRecord,
  type TestChannel,
  type TestPayment,
} from './testing/fixture.ts';

let stage: Stage;
let channels: PaymentChannels;
beforeAll(async () => {
  stage = await setStage();
  channels = stage.channels;
});
afterAll(() => stage.chain.stop());

/** An open channel with 100 base units on each side. */
async function opened(): Promise<TestChannel> {
  const channel = makeChannel(channels.domain);
  await channels.open({ identity: channel.identity, side: 'A', amount: 100n });
  await channels.deposit({ identity: channel.identity, side: 'B', amount: 100n });
  return channel;
}

/** A payment of 10 from A over `first` on to B of `second`, among four transfers. */
async function twoHops(): Promise<{ first: TestChannel; second: TestChannel; payment: TestPayment }> {
  const [first, second] = [await opened(), await opened()];
  const legs = [
    { channel: first, amount: 10n, fromA: true },
    { channel: second, amount: 9n, fromA: false },
  ];
  return { first, second, payment: makePayment(channels.domain, legs, 4) };
}

const exitWith = (channel: TestChannel, payment: TestPayment, phase: PendingPhase): SignedExit =>
  signExit(channels.domain, channel, { sentA: 1n, pending: [{ payment, phase }] });

/** What both sides of a settled channel were credited. */
const credits = async ({ identity }: TestChannel): Promise<bigint[]> => [
  await channels.credit({ account: identity.payoutA }),
  await channels.credit({ account: identity.payoutB }),
];

test('an exit in POST-UPDATE writes APPLIED and moves the payment', async () => {
  const { first, payment } = await twoHops();
  expect(await channels.outcome(payment.id)).toBeUndefined();
  await channels.eject([exitWith(first, payment, 'POST-UPDATE')]);
  expect(await channels.outcome(payment.id)).toBe('APPLIED');
  expect(await credits(first)).toEqual([89n, 111n]);
});

test('an exit in PRE-UPDATE writes VOID and moves nothing of the payment', async () => {
  const { first, payment } = await twoHops();
  await channels.eject([exitWith(first, payment, 'PRE-UPDATE')]);
  expect(await channels.outcome(payment.id)).toBe('VOID');
  expect(await credits(first)).toEqual([99n, 101n]);
});

test.each([
  ['PRE-UPDATE', 'POST-UPDATE'],
  ['POST-UPDATE', 'PRE-UPDATE'],
] as const)(
  'the first exit (%s) decides for both channels of a payment, whichever channel it is',
  async (first, second) => {
    for (const reversed of [false, true]) {
      const hops = await twoHops();
      const [early, late] = reversed ? [hops.second, hops.first] : [hops.first, hops.second];
      await channels.eject([exitWith(early, hops.payment, first)]);
      await channels.eject([exitWith(late, hops.payment, second)]);
      const applied = first === 'POST-UPDATE';
      expect(await credits(hops.first)).toEqual(applied ? [89n, 111n] : [99n, 101n]);
      expect(await credits(hops.second)).toEqual(applied ? [108n, 92n] : [99n, 101n]);
    }
  },
);

test('both channels of a payment settle in one call, the first exit deciding', async () => {
  const { first, second, payment } = await twoHops();
  await channels.eject([exitWith(second, payment, 'POST-UPDATE'), exitWith(first, payment, 'PRE-UPDATE')]);
  expect(await credits(first)).toEqual([89n, 111n]);
  expect(await credits(second)).toEqual([108n, 92n]);
});

test('settle refuses a payment without outcome and follows one that has it', async () => {
  const { first, second, payment } = await twoHops();
  const late = exitWith(second, payment, 'POST-UPDATE');
  await expect(channels.settle([late])).rejects.toMatchObject({
    code: 'OutcomeMissing',
    facts: { payment: payment.id },
  });
  await channels.eject([exitWith(first, payment, 'PRE-UPDATE')]);
  await channels.settle([late]);
  expect(await credits(second)).toEqual([99n, 101n]);
});

test('a channel that is settled already is skipped, whatever its exit says, and the others settle', async () => {
  const { first, second, payment } = await twoHops();
  await channels.eject([exitWith(first, payment, 'POST-UPDATE')]);
  const spoiled = { ...exitWith(first, payment, 'PRE-UPDATE'), signature: '0x' as Hex };
  await channels.settle([spoiled, exitWith(second, payment, 'PRE-UPDATE'), spoiled]);
  expect(await credits(first)).toEqual([89n, 111n]);
  expect(await credits(second)).toEqual([108n, 92n]);
  await channels.eject([spoiled]);
});

test('one bad exit undoes the whole call: no outcome and no channel of it stays', async () => {
  const { first, second, payment } = await twoHops();
  const bad = { ...exitWith(second, payment, 'POST-UPDATE'), sentA: 2n };
  const failure = channels.eject([exitWith(first, payment, 'POST-UPDATE'), bad]);
  await expect(failure).rejects.toMatchObject({ code: 'InvalidSignature' });
  expect(await channels.outcome(payment.id)).toBeUndefined();
  expect(await channels.channel(first.id)).toMatchObject({ status: 'open' });
});

test('an exit from a channel that was never opened is refused', async () => {
  const exit = signExit(channels.domain, makeChannel(channels.domain));
  await expect(channels.eject([exit])).rejects.toMatchObject({ code: 'UnknownChannel' });
});

test('pending payments must ascend strictly: none may count twice', async () => {
  const channel = await opened();
  const legs = [{ channel, amount: 10n, fromA: true }];
  const pending = [1, 2].map(() => ({ payment: makePayment(channels.domain, legs, 3), phase: 'POST-UPDATE' as const }));
  const exit = signExit(channels.domain, channel, { pending });
  const [one, two] = exit.pending;
  if (!one || !two) throw new RangeError('two pending payments expected');
  for (const spoiled of [
    [two, one],
    [one, one, two],
  ]) {
    await expect(channels.eject([{ ...exit, pending: spoiled }])).rejects.toMatchObject({
      code: 'PendingNotAscending',
    });
  }
  await channels.eject([exit]);
  expect(await credits(channel)).toEqual([80n, 120n]);
});

test('no part of a pending payment can be changed under the signature', async () => {
  const { first, payment } = await twoHops();
  const exit = exitWith(first, payment, 'PRE-UPDATE');
  const [entry] = exit.pending;
  if (!entry) throw new RangeError('a pending payment expected');
  const changes: Partial<typeof entry>[] = [
    { amount: 11n },
    { fromA: false },
    { phase: 'POST-UPDATE' },
    { expiry: entry.expiry + 1 },
    { invoice: ZERO_32 },
    { proof: entry.proof.slice(1) },
    { proof: [...entry.proof, ZERO_32] },
  ];
  for (const change of changes) {
    const failure = channels.eject([{ ...exit, pending: [{ ...entry, ...change }] }]);
    await expect(failure).rejects.toMatchObject({ code: 'InvalidSignature' });
  }
  await expect(channels.eject([{ ...exit, pending: [] }])).rejects.toMatchObject({ code: 'InvalidSignature' });
});

test('a close and an exit without pending payments are the same signature', async () => {
  const channel = await opened();
  await channels.eject([signExit(channels.domain, channel, { sentA: 40n })]);
  expect(await credits(channel)).toEqual([60n, 140n]);
});

test('several channels are closed in one call, and those that are settled already are skipped', async () => {
  const made = [await opened(), await opened(), await opened()];
  const exits = made.map((channel) => signExit(channels.domain, channel, { sentA: 25n, by: channel.keyB }));
  const [, overtaken] = exits;
  if (!overtaken) throw new RangeError('three exits expected');
  await channels.close(overtaken);
  await channels.settle(exits);
  for (const channel of made) expect(await credits(channel)).toEqual([75n, 125n]);
});

test('payments in both directions are netted before anything is clipped', async () => {
  const channel = await opened();
  const leg = (amount: bigint, fromA: boolean): TestPayment =>
    makePayment(channels.domain, [{ channel, amount, fromA }], 2);
  const [out, back, undone] = [leg(500n, true), leg(450n, false), leg(77n, true)];
  const pending = [
    { payment: out, phase: 'POST-UPDATE' as const },
    { payment: back, phase: 'POST-UPDATE' as const },
    { payment: undone, phase: 'PRE-UPDATE' as const },
  ];
  await channels.eject([signExit(channels.domain, channel, { pending })]);
  expect(await credits(channel)).toEqual([50n, 150n]);
});

test('400 pending payments settle, 401 are refused', async () => {
  const channel = await opened();
  const legs = [{ channel, amount: 1n, fromA: true }];
  const pending = Array.from({ length: 401 }, () => ({
    payment: makePayment(channels.domain, legs),
    phase: 'PRE-UPDATE' as const,
  }));
  const tooMany = channels.eject([signExit(channels.domain, channel, { pending })]);
  await expect(tooMany).rejects.toMatchObject({ code: 'TooManyPending', facts: { count: '401' } });
  const sent = await channels.eject([signExit(channels.domain, channel, { pending: pending.slice(1) })]);
  expect(sent.gasUsed).toBeLessThan(1n << 24n);
}, 60_000);

test('a phase that is none is refused even if it is signed', async () => {
  const { first, payment } = await twoHops();
  const types = {
    Exit: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'sentA', type: 'uint128' },
      { name: 'sentB', type: 'uint128' },
      { name: 'stale', type: 'bool' },
      { name: 'pending', type: 'Pending[]' },
    ],
    Pending: [
      { name: 'paymentId', type: 'bytes32' },
      { name: 'amount', type: 'uint128' },
      { name: 'fromA', type: 'bool' },
      { name: 'phase', type: 'uint8' },
    ],
  };
  const domain = { name: 'Baro', version: '1', chainId: channels.chainId, verifyingContract: channels.address };
  for (const phase of [0, 3]) {
    const pending = [{ paymentId: payment.id, amount: 10n, fromA: true, phase }];
    const digest = TypedDataEncoder.hash(domain, types, {
      channelId: first.id,
      sentA: 0n,
      sentB: 0n,
      stale: false,
      pending,
    });
    const exit = {
      identity: first.identity,
      sentA: 0n,
      sentB: 0n,
      stale: false,
      pending: [{ ...payment.proofFor(first), phase }],
      signature: first.keyA.sign(digest).serialized,
    };
    const data = contractInterface.encodeFunctionData('eject', [[exit]]);
    expect(await refusal(stage.signer, { to: channels.address, data })).toBe('InvalidPhase');
  }
});

test('a record writes the outcome and leaves the channel open', async () => {
  const { first, second, payment } = await twoHops();
  await channels.record(signRecord(channels.domain, second, { payment, outcome: 'VOID', by: second.keyB }));
  expect(await channels.outcome(payment.id)).toBe('VOID');
  expect(await channels.channel(second.id)).toMatchObject({ status: 'open' });
  await channels.eject([exitWith(first, payment, 'POST-UPDATE')]);
  expect(await credits(first)).toEqual([99n, 101n]);
});

test('an outcome is written once: a second record changes nothing and is no error', async () => {
  const { first, second, payment } = await twoHops();
  await channels.record(signRecord(channels.domain, first, { payment, outcome: 'APPLIED' }));
  await channels.record(signRecord(channels.domain, second, { payment, outcome: 'VOID' }));
  expect(await channels.outcome(payment.id)).toBe('APPLIED');
});

test('a record needs a party of a channel that the payment crosses, and its own outcome', async () => {
  const { first, payment } = await twoHops();
  const stranger = await opened();
  const good = signRecord(channels.domain, first, { payment, outcome: 'VOID' });
  const byStranger = signRecord(channels.domain, first, { payment, outcome: 'VOID', by: stranger.keyA });
  for (const bad of [
    byStranger,
    { ...byStranger, identity: stranger.identity },
    { ...good, outcome: 'APPLIED' as const },
    { ...good, payment: { ...good.payment, amount: 9n } },
  ]) {
    await expect(channels.record(bad)).rejects.toMatchObject({ code: 'InvalidSignature' });
  }
  expect(await channels.outcome(payment.id)).toBeUndefined();
});

test('a record is possible for a channel that is settled already', async () => {
  const { first, second, payment } = await twoHops();
  await channels.close(signExit(channels.domain, first));
  await channels.record(signRecord(channels.domain, first, { payment, outcome: 'VOID' }));
  await channels.settle([exitWith(second, payment, 'POST-UPDATE')]);
  expect(await credits(second)).toEqual([99n, 101n]);
});
