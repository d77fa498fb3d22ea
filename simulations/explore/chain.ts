/** What the contract does with an exit (PROTOCOL.md section 5), for exits whose signatures the enclaves made. */

import type { Outcome } from '../../enclave/core/encoding.ts';
import type { PaymentId } from '../../enclave/core/ids.ts';
import type { SignedExit } from '../../enclave/core/interface.ts';

export interface Settled {
  creditA: bigint;
  creditB: bigint;
  /** Outcomes after the exit. */
  outcomes: Map<PaymentId, Outcome>;
}

/** `deposits` of both sides; `outcomes` as recorded before. An exit writes the outcomes that are missing. */
export function settleExit(
  exit: SignedExit,
  deposits: { a: bigint; b: bigint },
  outcomes: ReadonlyMap<PaymentId, Outcome>,
): Settled {
  const after = new Map(outcomes);
  let net = exit.sentA - exit.sentB;
  for (const { paymentId, phase, amount, fromA } of exit.pending) {
    const outcome = after.get(paymentId) ?? (phase === 'PRE-UPDATE' ? 'VOID' : 'APPLIED');
    after.set(paymentId, outcome);
    if (outcome === 'APPLIED') net += fromA ? amount : -amount;
  }
  const total = deposits.a + deposits.b;
  const balanceA = deposits.a - net;
  const creditA = balanceA < 0n ? 0n : balanceA > total ? total : balanceA;
  return { creditA, creditB: total - creditA, outcomes: after };
}
