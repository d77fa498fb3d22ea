/**
 * The payment round in one enclave: IDLE → PRE-UPDATE → POST-UPDATE → IDLE (PROTOCOL.md section 4).
 *
 * A step that was passed is answered again with that step's evidence, so a hub that restarted can finish or abort
 * whatever its log names. Balances in an answer are those after the step.
 */

import { type Decider, type Decision, decided, refused } from './decision.ts';
import { hashPayment } from './encoding.ts';
import { equalBytes } from './hash.ts';
import type { PaymentId } from './ids.ts';
import { sign } from './keys.ts';
import { MAX_TRANSFERS } from './limits.ts';
import { cancel, prepare } from './preparation.ts';
import { receiptDigest } from './receipt.ts';
import {
  abortedAnswer,
  answered,
  answeredAbout,
  completedAnswer,
  copyView,
  type Evident,
  evidenceFrom,
  expectedEvidence,
  failed,
  preparedAnswer,
  rejectedAnswer,
  updatedAnswer,
} from './round-answers.ts';
import type { Step } from './round-messages.ts';
import type { Payment, State, Tombstone } from './state.ts';

export const step: Decider<'step'> = (state, command) => {
  const asked = command.step;
  const paymentId = 'terms' in asked ? idOf(state, asked) : asked.paymentId;
  const pending = state.payments.get(paymentId);
  if (pending) return stepPending(state, asked, pending);
  const over = state.tombstones.get(paymentId) ?? state.resolved.get(paymentId);
  if (over) return stepOver(state, asked, over);
  if (asked.kind === 'prepare') return prepare(state, asked, paymentId);
  if (asked.kind === 'cancel') return cancel(state, asked, paymentId);
  return failed(paymentId, 'UNKNOWN_PAYMENT', 'This payment was never prepared here; send PREPARE or CANCEL first.');
};

/** The id of malformed terms is of no consequence: `prepare` refuses them before it is used. */
function idOf(state: State, asked: Extract<Step, { kind: 'prepare' | 'cancel' }>): PaymentId {
  const { terms } = asked;
  const countable = terms.transfers.length > 0 && terms.transfers.length <= MAX_TRANSFERS;
  return countable ? hashPayment(state.deployment.domain, terms) : (`0x${'00'.repeat(32)}` as PaymentId);
}

function stepPending(state: State, asked: Step, payment: Payment): Decision {
  const { paymentId, phase, frozen } = payment.about;
  const isPost = phase === 'POST-UPDATE';
  switch (asked.kind) {
    case 'prepare':
      return answeredAbout(payment, () => preparedAnswer(state, payment));
    case 'cancel':
      return failed(
        paymentId,
        'ALREADY_PREPARED',
        'PRE was issued for this payment and binds; it ends by completing or aborting.',
      );
    case 'update': {
      if (isPost) return answeredAbout(payment, () => updatedAnswer(state, payment));
      if (frozen) {
        return failed(
          paymentId,
          'FROZEN',
          'A record, an exit or a consent was signed for this payment; it ends on chain.',
        );
      }
      const proven = equalBytes(asked.evidence, expectedEvidence(state, payment.others, { tag: 'PRE', paymentId }));
      if (!proven) return wrongEvidence(paymentId, 'PRE evidence of all others');
      return answeredAbout(payment, () => updatedAnswer(state, payment), { kind: 'updated', paymentId });
    }
    case 'complete': {
      if (!isPost) return failed(paymentId, 'WRONG_PHASE', 'This terminal is in PRE-UPDATE; send UPDATE first.');
      const proven = equalBytes(asked.evidence, expectedEvidence(state, payment.others, { tag: 'POST', paymentId }));
      return proven ? complete(state, payment) : wrongEvidence(paymentId, 'POST evidence of all others');
    }
    case 'completeByDone': {
      if (!isPost) return failed(paymentId, 'WRONG_PHASE', 'This terminal is in PRE-UPDATE; send UPDATE first.');
      return isProvenBy(state, payment, { ...asked, tag: 'DONE' })
        ? complete(state, payment)
        : wrongEvidence(paymentId, 'DONE evidence of a participant');
    }
    case 'abort': {
      if (isPost) return failed(paymentId, 'WRONG_PHASE', 'This terminal is in POST-UPDATE: nobody can have rejected.');
      if (!isProvenBy(state, payment, { ...asked, tag: 'REJECT' }))
        return wrongEvidence(paymentId, 'REJECT evidence of a participant');
      return answeredAbout(payment, () => abortedAnswer(state, payment.about), { kind: 'aborted', paymentId });
    }
  }
}

const complete = (state: State, payment: Payment): Decision =>
  answeredAbout(payment, () => completedAnswer(state, payment), {
    kind: 'completed',
    paymentId: payment.about.paymentId,
  });

const wrongEvidence = (paymentId: PaymentId, wanted: string): Decision =>
  failed(paymentId, 'WRONG_EVIDENCE', `This is not the ${wanted}; collect it again.`);

function isProvenBy(
  state: State,
  payment: Payment,
  given: { from: string; evidence: Uint8Array; tag: 'DONE' | 'REJECT' },
): boolean {
  const { paymentId } = payment.about;
  const other = payment.others.find((each) => each.identity === given.from);
  return other !== undefined && equalBytes(given.evidence, evidenceFrom(state, other, { tag: given.tag, paymentId }));
}

/** A payment that is over answers with the evidence of what it passed, and changes no more. */
function stepOver(state: State, asked: Step, over: Tombstone): Decision {
  const { paymentId, others, about, reason } = over;
  if (reason !== null) {
    const isQuestion = asked.kind === 'prepare' || asked.kind === 'cancel';
    if (isQuestion) return answered(rejectedAnswer(state, { paymentId, others, reason }));
    return failed(
      paymentId,
      'REJECTED_HERE',
      'This terminal rejected the payment; hand its REJECT evidence to the others.',
    );
  }
  if (!about) throw new Error('a tombstone is neither a rejection nor a payment');
  const payment: Evident = { others, about };
  switch (about.phase) {
    case 'ABORTED':
      return answeredAbout(payment, () => abortedAnswer(state, about));
    case 'DONE':
      return answeredAbout(payment, () => doneAnswer(state, asked, payment));
    default:
      return failed(
        paymentId,
        'RESOLVED_ON_CHAIN',
        'The chain ended this payment here; the others follow its recorded outcome.',
      );
  }
}

function doneAnswer(state: State, asked: Step, payment: Evident) {
  if (asked.kind === 'prepare') return preparedAnswer(state, payment);
  if (asked.kind === 'update') return updatedAnswer(state, payment);
  return completedAnswer(state, payment);
}

export const listPayments: Decider<'listPayments'> = (state) =>
  decided({ kind: 'payments', payments: [...state.payments.values()].map(({ about }) => copyView(about)) });

export const receipt: Decider<'receipt'> = (state, command) => {
  const about = state.tombstones.get(command.paymentId)?.about;
  if (about?.phase !== 'DONE') {
    return refused('NOT_DONE', 'Only a payment that is DONE here, and not forgotten since, gets a receipt.');
  }
  const { paymentId, role, token, amount, payer, payee, invoice } = about;
  const signer = state.keyRing.identity;
  const written = { signer, role, paymentId, token, amount, payer, payee, invoice, issuedAt: state.clock };
  const signature = sign(receiptDigest(state.deployment.domain, written), state.keyRing.identityKey);
  return decided({ kind: 'receipt', signed: { receipt: written, signature } });
};
