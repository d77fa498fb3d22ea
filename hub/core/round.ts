/**
 * One payment round as data: who is in which phase, which evidence is here, and what to ask next
 * (PROTOCOL.md section 4). drive.ts moves it.
 *
 * Invariant: evidence is combined over the set of participants, each once, the receiver left out (section 9).
 */

import type { Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { Order } from '../../enclave/core/order.ts';
import { aggregate, EVIDENCE_BYTES } from '../../enclave/core/pair.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import type { RejectReason, Step, StepKind } from '../../enclave/core/round-messages.ts';
import type { Lock } from './balances.ts';

/**
 * `cancelling`: CANCEL goes to those that have not prepared; ends in `aborting` by a REJECT, or in `updating` where all
 * turn out to have prepared.
 */
export type RoundPhase = 'preparing' | 'cancelling' | 'updating' | 'completing' | 'aborting' | 'over';

/** Why a payment did not happen. `TIMEOUT`: somebody did not answer PREPARE in time. */
export interface Failure {
  readonly code: RejectReason | 'TIMEOUT' | 'GIVEN_UP' | 'NOT_PREPARABLE' | 'VOID_ON_CHAIN';
  /** Who rejected; null where the hub cancelled. */
  readonly by: Identity | null;
  /** Who had not answered when the hub cancelled. */
  readonly silent: readonly Identity[];
}

/** One MAC for each other participant, in their ascending order. */
export type Macs = readonly Uint8Array[];

export interface Member {
  readonly identity: Identity;
  /** Places of its transfers in the payment. */
  readonly outgoing: readonly number[];
  readonly incoming: readonly number[];
  pre: Macs | null;
  post: Macs | null;
  done: Macs | null;
  /** Said that it prepared, although its evidence may not be here. */
  isPrepared: boolean;
  /** A PREPARE went out that it has not denied: amounts may be locked there. */
  mayHold: boolean;
  /** Prepares only with the PRE evidence of all others. */
  isLast: boolean;
  /** The step that it was asked and has not answered. */
  asked: StepKind | null;
  /** Short by what is still in POST-UPDATE on this channel. */
  held: ChannelId | null;
  /** Answers without evidence in this phase. */
  failures: number;
  /** It holds nothing for this payment any more. */
  isSettled: boolean;
}

export interface Round {
  readonly paymentId: PaymentId;
  readonly terms: PaymentTerms;
  /** The payer's order, for news and for further attempts. */
  readonly order: Order;
  readonly attempt: number;
  readonly fee: bigint;
  /** Ascending by identity, as in the messages. */
  readonly members: readonly Member[];
  readonly place: ReadonlyMap<Identity, number>;
  readonly locks: readonly Lock[];
  phase: RoundPhase;
  /** For each member what UPDATE or COMPLETE hands it, aggregated when that was decided. */
  evidence: Macs | null;
  /** REJECT evidence that is here; MACs by place, the rejecter's own is zero. */
  readonly rejections: { from: Identity; macs: Macs }[];
  failure: Failure | null;
  /** When the present phase is looked at again, in unix milliseconds. */
  deadlineMs: number;
  repeats: number;
  /** Aborted, and everybody who can be asked has let go: another attempt may begin. */
  isReleased: boolean;
  outcome: 'complete' | 'aborted' | 'void' | 'applied' | null;
}

export interface RoundPlan {
  readonly paymentId: PaymentId;
  readonly terms: PaymentTerms;
  readonly order: Order;
  readonly attempt: number;
  readonly fee: bigint;
  /** Ascending. */
  readonly participants: readonly Identity[];
}

export const orderIdOf = (round: Round): Bytes32 => round.order.orderId;

export function newMember(identity: Identity, transfers: { outgoing: number[]; incoming: number[] }): Member {
  return {
    identity,
    ...transfers,
    pre: null,
    post: null,
    done: null,
    isPrepared: false,
    mayHold: false,
    isLast: false,
    asked: null,
    held: null,
    failures: 0,
    isSettled: false,
  };
}

/** XOR of what all others said to the member at `place`. */
export function combined(round: Round, tag: 'pre' | 'post', place: number): Uint8Array {
  const macs: Uint8Array[] = [];
  for (const [sender, member] of round.members.entries()) {
    const mac = sender === place ? undefined : member[tag]?.[placeIn(sender, place)];
    if (mac) macs.push(mac);
    else if (sender !== place) throw new Error(`evidence of ${member.identity} is combined before it is here`);
  }
  return aggregate(macs);
}

/** Where the receiver at `place` stands among the others of the sender. */
const placeIn = (sender: number, place: number): number => (place < sender ? place : place - 1);

/** MACs for each other, laid out by place with a zero for the sender itself. */
export function byPlace(macs: Macs, sender: number): Macs {
  return [...macs.slice(0, sender), new Uint8Array(EVIDENCE_BYTES), ...macs.slice(sender)];
}

const allOthersPrepared = (round: Round, place: number): boolean =>
  round.members.every((member, at) => at === place || member.pre !== null);

/** What the member at `place` is to be asked in the present phase, or null where nothing is open. */
export function nextStep(round: Round, place: number): Step | null {
  const member = round.members[place];
  if (!member || member.isSettled) return null;
  const { paymentId, terms } = round;
  switch (round.phase) {
    case 'preparing':
    case 'cancelling': {
      if (member.pre) return null;
      const participants = round.members.map((each) => each.identity);
      if (round.phase === 'cancelling' && !member.isPrepared) return { kind: 'cancel', terms, participants };
      if (!member.isLast || member.isPrepared) return { kind: 'prepare', terms, participants, preEvidence: null };
      if (!allOthersPrepared(round, place)) return null;
      return { kind: 'prepare', terms, participants, preEvidence: combined(round, 'pre', place) };
    }
    case 'updating': {
      const evidence = round.evidence?.[place];
      return member.post || !evidence ? null : { kind: 'update', paymentId, evidence };
    }
    case 'completing':
      return member.done ? null : completion(round, place);
    case 'aborting': {
      const rejection = round.rejections[member.failures % round.rejections.length];
      const evidence = rejection?.macs[place];
      if (!rejection || !evidence || rejection.from === member.identity) return null;
      return { kind: 'abort', paymentId, from: rejection.from, evidence };
    }
    case 'over':
      return null;
  }
}

/** COMPLETE; to a member that refused it, completion by the DONE evidence of others, one after the other. */
function completion(round: Round, place: number): Step | null {
  const { paymentId } = round;
  const failures = round.members[place]?.failures ?? 0;
  const witnesses = failures > 0 ? [...round.members.entries()].filter(([, each]) => each.done !== null) : [];
  const [sender, witness] = witnesses[(failures - 1) % Math.max(1, witnesses.length)] ?? [];
  if (sender !== undefined && witness?.done) {
    const evidence = witness.done[placeIn(sender, place)];
    if (evidence) return { kind: 'completeByDone', paymentId, from: witness.identity, evidence };
  }
  const evidence = round.evidence?.[place];
  return evidence ? { kind: 'complete', paymentId, evidence } : null;
}

/** Who has not answered the present step. */
export function waitingFor(round: Round): Identity[] {
  return round.members.filter((member) => !hasAnswered(round.phase, member)).map((member) => member.identity);
}

export function hasAnswered(phase: RoundPhase, member: Member): boolean {
  if (member.isSettled) return true;
  switch (phase) {
    case 'preparing':
    case 'cancelling':
      return member.pre !== null;
    case 'updating':
      return member.post !== null;
    case 'completing':
      return member.done !== null;
    case 'aborting':
      return false;
    case 'over':
      return true;
  }
}
