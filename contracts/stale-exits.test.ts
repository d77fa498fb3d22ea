/** Stale exits through the typed calls (PROTOCOL.md section 6). Rules and random ones: forge/StaleExits.t.sol. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../enclave/core/codec.ts';
import { exitDigest } from '../enclave/core/encoding.ts';
import { bytes32 } from '../enclave/core/ids.ts';
import type { PaymentChannels, SignedExit, StaleTerms } from './payment-channels.ts';
import {
  type ExitTerms,
  makeChannel,
  makePayment,
  type Stage,
  setStage,
  signExit,
  signRecord,
  type TestChannel,
} from './testing/fixture.ts';

const PERIOD_S = 86_400;

let stage: Stage;
let channels: PaymentChannels;
beforeAll(async () => {
  stage = await setStage();
  channels = stage.channels;
});
afterAll(() => stage.chain.stop());

/** An open channel with 100 base units on each side. */
async function opened(challengePeriod = PERIOD_S): Promise<TestChannel> {
  const channel = makeChannel(channels.domain, { challengePeriod });
  await channels.open({ identity: channel.identity, side: 'A', amount: 100n });
  await channels.deposit({ identity: channel.identity, side: 'B', amount: 100n });
  return channel;
}

const stale = (channel: TestChannel, terms: ExitTerms = {}): SignedExit =>
  signExit(channels.domain, channel, { ...terms, stale: true });

function termsOf(
  exit: SignedExit,
  payments: readonly { id: StaleTerms['pending'][number]['paymentId'] }[],
): StaleTerms {
  const ids = payments.map(({ id }) => id).sort();
  const pending = exit.pending.map(({ amount, fromA, phase }, index) => {
    const paymentId = ids[index];
    if (!paymentId) throw new RangeError('an id for each pending payment expected');
    return { paymentId, amount, fromA, phase };
  });
  return { identity: exit.identity, sentA: exit.sentA, sentB: exit.sentB, pending };
}

async function wait(seconds: number): Promise<void> {
  await stage.provider.send('evm_increaseTime', [seconds]);
  await stage.provider.send('evm_mine', []);
}

const credits = async ({ identity }: TestChannel): Promise<bigint[]> => [
  await channels.credit({ account: identity.payoutA }),
  await channels.credit({ account: identity.payoutB }),
];

test('a stale exit waits for the challenge period, and what is unrecorded then counts against its side', async () => {
  const channel = await opened();
  const make = (amount: bigint, fromA: boolean): ReturnType<typeof makePayment> =>
    makePayment(channels.domain, [{ channel, amount, fromA }], 3);
  // Of A, who signs: one that it would pay and one that it would receive stay unrecorded, two are recorded.
  const [paid, received, applied, voided] = [make(1n, true), make(2n, false), make(4n, false), make(8n, true)];
  const all = [paid, received, applied, voided];
  const exit = stale(channel, { pending: all.map((payment) => ({ payment, phase: 'POST-UPDATE' })) });
  const sent = await channels.submitStale([exit]);

  const submittedAt = (await stage.provider.getBlock(sent.blockNumber))?.timestamp ?? 0;
  const terms = termsOf(exit, all);
  const digest = exitDigest(channels.domain, {
    channelId: channel.id,
    sentA: 0n,
    sentB: 0n,
    stale: true,
    pending: [...terms.pending],
  });
  expect(await channels.staleExit(channel.id)).toEqual({
    side: 'A',
    finalAt: submittedAt + PERIOD_S,
    digest: bytes32(toHex(digest)),
  });
  expect(await channels.outcome(paid.id)).toBeUndefined();
  await expect(channels.finalizeStale([terms])).rejects.toMatchObject({
    code: 'ChallengePeriodRunning',
    facts: { id: channel.id, finalAt: String(submittedAt + PERIOD_S) },
  });
  await channels.record(signRecord(channels.domain, channel, { payment: applied, outcome: 'APPLIED' }));
  await channels.record(signRecord(channels.domain, channel, { payment: voided, outcome: 'VOID' }));
  await wait(PERIOD_S);
  await channels.finalizeStale([terms]);
  expect(await credits(channel)).toEqual([103n, 97n]);
  expect(await channels.outcome(paid.id)).toBeUndefined();
  expect(await channels.staleExit(channel.id)).toBeUndefined();
});

test('an ordinary exit of either party replaces it, and settled channels are skipped afterwards', async () => {
  const [one, other] = [await opened(), await opened()];
  const exits = [stale(one, { sentA: 90n }), stale(other, { sentA: 1n, by: other.keyB })];
  await channels.submitStale(exits);
  await channels.close(signExit(channels.domain, one, { sentA: 20n, by: one.keyB }));
  await wait(PERIOD_S);
  await channels.finalizeStale(exits.map((exit) => termsOf(exit, [])));
  expect(await credits(one)).toEqual([80n, 120n]);
  expect(await credits(other)).toEqual([99n, 101n]);
  await channels.submitStale(exits);
});

test('the first stale exit stands, whichever side comes second', async () => {
  const channel = await opened();
  await channels.submitStale([stale(channel, { sentA: 5n, by: channel.keyB })]);
  const first = await channels.staleExit(channel.id);
  await wait(60);
  await channels.submitStale([stale(channel, { sentA: 1n })]);
  expect(await channels.staleExit(channel.id)).toEqual(first);
});

test('refusals of stale exits are told in words', async () => {
  const [without, channel] = [await opened(0), await opened()];
  await expect(channels.submitStale([stale(without)])).rejects.toMatchObject({ code: 'StaleExitsExcluded' });
  await expect(channels.submitStale([signExit(channels.domain, channel)])).rejects.toThrow(/needs no waiting/);
  const exit = stale(channel);
  await expect(channels.eject([exit])).rejects.toMatchObject({ code: 'StaleExitMustWait' });
  await expect(channels.settle([exit])).rejects.toMatchObject({ code: 'StaleExitMustWait' });
  // Nor can either pass for the other.
  await expect(channels.eject([{ ...exit, stale: false }])).rejects.toMatchObject({ code: 'InvalidSignature' });
  await expect(channels.close(exit)).rejects.toMatchObject({ code: 'InvalidSignature' });
  await expect(channels.submitStale([{ ...exit, signature: '0x' }])).rejects.toMatchObject({
    code: 'InvalidSignature',
  });
  await expect(channels.finalizeStale([termsOf(exit, [])])).rejects.toMatchObject({ code: 'NoStaleExit' });
  await channels.submitStale([exit]);
  await wait(PERIOD_S);
  await expect(channels.finalizeStale([{ ...termsOf(exit, []), sentA: 1n }])).rejects.toMatchObject({
    code: 'StaleExitMismatch',
  });
});

test('400 pending payments of 64 transfers are submitted, and finalised, in a transaction each', async () => {
  const channel = await opened();
  const legs = [{ channel, amount: 1n, fromA: true }];
  const payments = Array.from({ length: 400 }, () => makePayment(channels.domain, legs, 64));
  const pending = payments.map((payment) => ({ payment, phase: 'POST-UPDATE' as const }));
  const exit = stale(channel, { pending });
  const submitted = await channels.submitStale([exit]);
  await wait(PERIOD_S);
  const finalised = await channels.finalizeStale([termsOf(exit, payments)]);
  for (const { gasUsed } of [submitted, finalised]) expect(gasUsed).toBeLessThan(1n << 24n);
  expect(await credits(channel)).toEqual([0n, 200n]);
}, 120_000);
