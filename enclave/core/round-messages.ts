/**
 * Steps of the payment round and their answers (PROTOCOL.md section 4): what the hub asks, what an enclave answers.
 * Hub, wire and enclave all speak these; each is defined here once.
 */

import {
  amount,
  channelIdCodec,
  fixed,
  identityCodec,
  list,
  oneOf,
  option,
  paymentIdCodec,
  struct,
  type TypeOf,
  text,
  union,
} from './codec.ts';
import { MAX_PARTICIPANTS, MAX_TRANSFERS } from './limits.ts';
import { EVIDENCE_BYTES } from './pair.ts';
import { paymentTermsCodec } from './payment-terms.ts';

const evidenceCodec = fixed(EVIDENCE_BYTES);
const participantsCodec = list(identityCodec, MAX_PARTICIPANTS);

/** Commands of a round. `evidence` in update and complete is the XOR over all other participants. */
export const stepCodec = union({
  prepare: [
    1,
    struct({
      terms: paymentTermsCodec,
      /** Identities, strictly ascending. */
      participants: participantsCodec,
      /** XOR of the PRE evidence of all others, for a terminal that prepares last. */
      preEvidence: option(evidenceCodec),
    }),
  ],
  update: [2, struct({ paymentId: paymentIdCodec, evidence: evidenceCodec })],
  complete: [3, struct({ paymentId: paymentIdCodec, evidence: evidenceCodec })],
  /** Completes by the DONE evidence of one participant. */
  completeByDone: [4, struct({ paymentId: paymentIdCodec, from: identityCodec, evidence: evidenceCodec })],
  /** Aborts by the REJECT evidence of one participant. */
  abort: [5, struct({ paymentId: paymentIdCodec, from: identityCodec, evidence: evidenceCodec })],
  /** Carries the whole payment: REJECT evidence needs its participants. */
  cancel: [6, struct({ terms: paymentTermsCodec, participants: participantsCodec })],
});
export type Step = TypeOf<typeof stepCodec>;
export type StepKind = Step['kind'];

/** Why a terminal rejects a payment for good. Policy reasons are the owner's business: FORWARDING says no more. */
export const REJECT_REASONS = [
  'CANCELLED',
  'EXPIRED',
  'UNKNOWN_CHANNEL',
  'CHANNEL_CLOSING',
  'CHANNEL_SUSPENDED',
  'WRONG_PARTY',
  'WRONG_TOKEN',
  'NOT_ENOUGH_BALANCE',
  'TOO_MANY_PENDING',
  'COUNTER_OVERFLOW',
  'PARTICIPANT_REFUSED',
  'NOT_ORDERED',
  'ORDER_IN_USE',
  'FEE_TOO_HIGH',
  'UNKNOWN_INVOICE',
  'INVOICE_IN_USE',
  'WRONG_AMOUNT',
  'NOT_ACCEPTING',
  'FORWARDING_REFUSED',
  'FEE_TOO_LOW',
] as const;
export const rejectReasonCodec = oneOf(REJECT_REASONS);
export type RejectReason = TypeOf<typeof rejectReasonCodec>;

/** Why a step got neither what it asked for nor evidence. */
export const STEP_ERRORS = [
  'MALFORMED_PAYMENT',
  'BEYOND_HORIZON',
  'TOMBSTONES_FULL',
  'UNKNOWN_PARTICIPANT',
  'FORGOTTEN',
  'UNKNOWN_PAYMENT',
  'WRONG_PHASE',
  'WRONG_EVIDENCE',
  'FROZEN',
  'REJECTED_HERE',
  'RESOLVED_ON_CHAIN',
  'ALREADY_PREPARED',
] as const;

/** What a terminal can spend on one of its channels now; the hub's map and its check of claim 13 use it. */
export const spendableCodec = struct({ channelId: channelIdCodec, spendable: amount });
export type Spendable = TypeOf<typeof spendableCodec>;

const macs = list(evidenceCodec, MAX_PARTICIPANTS);
const balances = list(spendableCodec, MAX_TRANSFERS);

/** Answers. `evidence` holds one MAC for each other participant, in their ascending order. */
export const stepAnswerCodec = union({
  prepared: [1, struct({ paymentId: paymentIdCodec, evidence: macs, balances })],
  rejected: [2, struct({ paymentId: paymentIdCodec, reason: rejectReasonCodec, evidence: macs })],
  updated: [3, struct({ paymentId: paymentIdCodec, evidence: macs })],
  completed: [4, struct({ paymentId: paymentIdCodec, evidence: macs, balances })],
  aborted: [5, struct({ paymentId: paymentIdCodec, balances })],
  /** Short only by transfers still in POST-UPDATE here: ask again after the next COMPLETE on this channel. */
  held: [6, struct({ paymentId: paymentIdCodec, channelId: channelIdCodec })],
  /** Prepares only with the PRE evidence of all others. */
  needPre: [7, struct({ paymentId: paymentIdCodec })],
  failed: [8, struct({ paymentId: paymentIdCodec, code: oneOf(STEP_ERRORS), message: text(256) })],
});
export type StepAnswer = TypeOf<typeof stepAnswerCodec>;
export type StepError = (typeof STEP_ERRORS)[number];
