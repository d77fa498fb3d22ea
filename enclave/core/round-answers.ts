/** Answers of a round, and the evidence in them (PROTOCOL.md section 4, Evidence). */

import type { Change } from './changes.ts';
import { spendable } from './channel.ts';
import { type Decision, decided, decidedAfter } from './decision.ts';
import type { PaymentId } from './ids.ts';
import type { PaymentView } from './interface.ts';
import { aggregate, type EvidenceTag, evidence, type PairPeer } from './pair.ts';
import type { RejectReason, Spendable, StepAnswer, StepError } from './round-messages.ts';
import type { State } from './state.ts';

/** An answer that tells nothing of the state but what is in it. */
export const answered = (answer: StepAnswer, ...changes: Change[]): Decision =>
  decided({ kind: 'step', answer, about: null }, ...changes);

/** An answer about a known payment, written after the changes. */
export function answeredAbout(payment: Evident, answer: () => StepAnswer, ...changes: Change[]): Decision {
  return decidedAfter(() => ({ kind: 'step', answer: answer(), about: copyView(payment.about) }), ...changes);
}

/** A view of its own: what the state holds goes on changing. */
export const copyView = (about: PaymentView): PaymentView => ({
  ...about,
  transfers: about.transfers.map((transfer) => ({ ...transfer })),
});

/** An error without evidence: nothing is promised and nothing has changed. */
export const failed = (paymentId: PaymentId, code: StepError, message: string): Decision =>
  answered({ kind: 'failed', paymentId, code, message });

/** One MAC for each other participant, in their ascending order. */
export function issueEvidence(
  state: State,
  others: PairPeer[],
  about: { tag: EvidenceTag; paymentId: PaymentId },
): Uint8Array[] {
  const { paymentId, tag } = about;
  const sender = state.keyRing.identity;
  return others.map((other) => evidence(state.keyRing.pairKey(other), tag, { paymentId, sender }));
}

/** What the aggregated evidence of all others must be: over the set of participants, never a list with repeats. */
export function expectedEvidence(
  state: State,
  others: PairPeer[],
  about: { tag: EvidenceTag; paymentId: PaymentId },
): Uint8Array {
  return aggregate(others.map((other) => evidenceFrom(state, other, about)));
}

/** What the evidence of one other participant must be. */
export function evidenceFrom(
  state: State,
  other: PairPeer,
  about: { tag: EvidenceTag; paymentId: PaymentId },
): Uint8Array {
  const { paymentId, tag } = about;
  return evidence(state.keyRing.pairKey(other), tag, { paymentId, sender: other.identity });
}

export interface Evident {
  others: PairPeer[];
  about: PaymentView;
}

export function preparedAnswer(state: State, payment: Evident): StepAnswer {
  const { paymentId } = payment.about;
  const macs = issueEvidence(state, payment.others, { tag: 'PRE', paymentId });
  return { kind: 'prepared', paymentId, evidence: macs, balances: balancesOf(state, payment.about) };
}

export function updatedAnswer(state: State, payment: Evident): StepAnswer {
  const { paymentId } = payment.about;
  return { kind: 'updated', paymentId, evidence: issueEvidence(state, payment.others, { tag: 'POST', paymentId }) };
}

export function completedAnswer(state: State, payment: Evident): StepAnswer {
  const { paymentId } = payment.about;
  const macs = issueEvidence(state, payment.others, { tag: 'DONE', paymentId });
  return { kind: 'completed', paymentId, evidence: macs, balances: balancesOf(state, payment.about) };
}

export const abortedAnswer = (state: State, about: PaymentView): StepAnswer => ({
  kind: 'aborted',
  paymentId: about.paymentId,
  balances: balancesOf(state, about),
});

export function rejectedAnswer(
  state: State,
  rejected: { paymentId: PaymentId; others: PairPeer[]; reason: RejectReason },
): StepAnswer {
  const { paymentId, others, reason } = rejected;
  return { kind: 'rejected', paymentId, reason, evidence: issueEvidence(state, others, { tag: 'REJECT', paymentId }) };
}

/** What this terminal can spend on the channels that the payment crosses, for the hub's map (claim 13). */
function balancesOf(state: State, about: PaymentView): Spendable[] {
  return about.transfers.flatMap(({ channelId }) => {
    const channel = state.channels.get(channelId);
    return channel ? [{ channelId, spendable: spendable(state, channel) }] : [];
  });
}
