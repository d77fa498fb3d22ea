/** Invariants 1 and 2 of PROTOCOL.md section 7, on random exits against a model of four lines. */

import { array, assert, asyncProperty, bigInt, boolean, constant, constantFrom, oneof, record } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_AMOUNT } from '../enclave/core/limits.ts';
import { makeChannel, makePayment, type Stage, setStage, signExit, signRecord } from './testing/fixture.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.chain.stop());

/** Small sums that nearly balance, and the largest. */
const sum = oneof({ weight: 5, arbitrary: bigInt({ min: 0n, max: 300n }) }, constant(MAX_AMOUNT));
const entry = record({
  amount: sum,
  fromA: boolean(),
  phase: constantFrom('PRE-UPDATE' as const, 'POST-UPDATE' as const),
  recorded: constantFrom(undefined, 'VOID' as const, 'APPLIED' as const),
});
const scenario = record({
  depositA: bigInt({ min: 1n, max: 200n }),
  depositB: bigInt({ min: 1n, max: 200n }),
  sentA: sum,
  sentB: sum,
  pending: array(entry, { maxLength: 4 }),
});

test('whatever is signed, both credits add up to the deposits and follow the outcomes', async () => {
  const { channels } = stage;
  const { domain } = channels;
  const property = asyncProperty(scenario, async ({ depositA, depositB, sentA, sentB, pending }) => {
    const channel = makeChannel(domain);
    const { identity } = channel;
    await channels.open({ identity, side: 'A', amount: depositA });
    await channels.open({ identity, side: 'B', amount: depositB });
    const entries = pending.map((each) => ({ ...each, payment: makePayment(domain, [{ channel, ...each }], 3) }));
    for (const { payment, recorded } of entries) {
      if (recorded) await channels.record(signRecord(domain, channel, { payment, outcome: recorded }));
    }
    await channels.eject([signExit(domain, channel, { sentA, sentB, pending: entries })]);

    const applied = entries.filter(
      (each) => (each.recorded ?? (each.phase === 'PRE-UPDATE' ? 'VOID' : 'APPLIED')) === 'APPLIED',
    );
    const moved = applied.reduce((total, { amount, fromA }) => total + (fromA ? amount : -amount), sentA - sentB);
    const balanceA = depositA - moved;
    const total = depositA + depositB;
    const clipped = balanceA < 0n ? 0n : balanceA > total ? total : balanceA;
    expect(await channels.credit({ account: identity.payoutA })).toBe(clipped);
    expect(await channels.credit({ account: identity.payoutB })).toBe(total - clipped);
  });
  await assert(property, { numRuns: 25 });
}, 60_000);
