/** Payments in words: what happens to one while it is under way, and what came of it. */

import { formatAmount, formatExactly } from './amount.ts';
import type { PayAnswer, PayPhaseAnswer } from './answers.ts';
import { shortId } from './table.ts';

/** The hub's news and the enclave's phases, in the protocol's words (PROTOCOL.md section 4). */
const WORDS: Readonly<Record<string, string>> = {
  'enclave ORDERED': 'ORDER     sealed in the enclave, handed to the hub',
  'hub routing': 'ROUTE     the hub looks for a route',
  'hub preparing': 'PREPARE   sent to every terminal on the route at once',
  'enclave PRE-UPDATE': 'PREPARE   amount locked here',
  'hub updating': 'UPDATE    all have prepared: proof of it sent to every terminal',
  'enclave POST-UPDATE': 'UPDATE    applied here, not spendable yet',
  'hub completing': 'COMPLETE  all have updated: proof of it sent to every terminal',
  'enclave DONE': 'COMPLETE  final here: its own enclave says so',
  'hub complete': 'COMPLETE  final everywhere, says the hub',
  'enclave ABORTED': 'ABORT     unlocked, nothing moved',
  'enclave RESOLVED': 'RESOLVED  the chain decided',
  'hub failed': 'FAILED    the hub gave up',
};

/** As precise as it was measured, and no more than a tenth. */
const duration = (ms: number): string => (Number.isInteger(ms) ? String(ms) : ms.toFixed(1));

export function phaseLine(phase: PayPhaseAnswer): string {
  const words = WORDS[`${phase.source} ${phase.phase}`] ?? `${phase.source}: ${phase.phase}`;
  const why = phase.message === undefined || phase.message === '' ? '' : ` (${phase.message})`;
  return `${duration(phase.ms).padStart(8)} ms  ${words}${why}`;
}

export function paymentLines(paid: PayAnswer): string[] {
  const ms = `${duration(paid.ms)} ms`;
  switch (paid.status) {
    case 'complete':
      return [
        `Paid ${formatExactly(paid.amount)} over ${paid.hops} hop${paid.hops === 1 ? '' : 's'} in ${ms}; fee ${formatAmount(paid.fee)}.`,
        `  payment  ${paid.paymentId}`,
      ];
    case 'aborted':
      return [`Not paid: nothing moved.${because(paid)}`, `  payment  ${shortId(paid.paymentId)}, ended after ${ms}`];
    case 'void':
      return [
        `Not paid: the chain recorded the payment as void, nothing moved.${because(paid)}`,
        `  payment  ${shortId(paid.paymentId)}, ended after ${ms}`,
      ];
  }
}

const because = (paid: PayAnswer): string =>
  paid.reason === null ? '' : ` ${paid.reason.message} (${paid.reason.code})`;
