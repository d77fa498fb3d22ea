/**
 * Drives payment rounds (seed patent 130; PROTOCOL.md section 4): PREPARE to all at once, UPDATE when all PRE are here,
 * COMPLETE when all POST are, ABORT when a REJECT is.
 *
 * Invariants: a payment is written before its first PREPARE and a decision no later than its effects (one turn of the
 * shell commits both); nothing here can move money, a mistake can only leave a payment waiting.
 */

import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Identity, PaymentId } from '../../enclave/core/ids.ts';
import { ask, askAgain, askAll, askHeld, noLongerHeld, repeatAll } from './asking.ts';
import { type Lock, moveLock, payerSide } from './balances.ts';
import { MAX_REPEAT_MS } from './limits.ts';
import type { PaymentProgress, PaymentState } from './records.ts';
import {
  combined,
  type Failure,
  hasAnswered,
  type Macs,
  type Member,
  newMember,
  type Round,
  type RoundPlan,
} from './round.ts';
import { type HubState, write } from './state.ts';
import { wordsFor } from './words.ts';

/** A round that nobody has heard of yet. Its transfers may be any set: the path of one order is only the common case. */
export function newRound(state: HubState, plan: RoundPlan): Round {
  const outgoing = new Map<Identity, number[]>(plan.participants.map((each) => [each, []]));
  const incoming = new Map<Identity, number[]>(plan.participants.map((each) => [each, []]));
  const locks: Lock[] = [];
  for (const [index, transfer] of plan.terms.transfers.entries()) {
    const [payer, payee] = [state.addressOwner.get(transfer.payer), state.addressOwner.get(transfer.payee)];
    if (payer) outgoing.get(payer)?.push(index);
    if (payee) incoming.get(payee)?.push(index);
    const channel = state.channels.get(transfer.channelId) ?? null;
    const side = channel ? payerSide(channel, transfer.payer) : 'A';
    locks.push({ channel, side, amount: transfer.amount, status: 'none' });
  }
  const members = plan.participants.map((identity) => {
    const transfers = { outgoing: outgoing.get(identity) ?? [], incoming: incoming.get(identity) ?? [] };
    const member = newMember(identity, transfers);
    member.isLast = state.terminals.get(identity)?.node.prepareLast ?? false;
    return member;
  });
  return {
    paymentId: plan.paymentId,
    terms: plan.terms,
    order: plan.order,
    attempt: plan.attempt,
    fee: plan.fee,
    members,
    place: new Map(plan.participants.map((identity, place) => [identity, place])),
    locks,
    phase: 'preparing',
    evidence: null,
    rejections: [],
    failure: null,
    deadlineMs: 0,
    repeats: 0,
    isReleased: false,
    outcome: null,
  };
}

/** From now on the round is known and watched. */
export function adopt(state: HubState, round: Round): void {
  state.rounds.set(round.paymentId, round);
  for (const { identity } of round.members) state.terminals.get(identity)?.payments.add(round.paymentId);
  setDeadline(state, round);
}

/** Writes the payment down, then asks everybody to prepare. */
export function begin(state: HubState, plan: RoundPlan): Round {
  const round = newRound(state, plan);
  state.counters.paymentsBegun++;
  const { order, attempt, terms, participants, fee } = plan;
  const progress = progressOf(state, round, 'preparing');
  write(state, {
    kind: 'paymentBegun',
    payment: { ...progress, order, attempt, terms, participants, fee, begunMs: state.nowMs },
  });
  for (const lock of round.locks) moveLock(lock, 'reserved');
  adopt(state, round);
  askAll(state, round);
  state.moved.add(round);
  return round;
}

function progressOf(state: HubState, round: Round, paymentState: PaymentState): PaymentProgress {
  const isAborting = paymentState === 'aborting';
  const isUnderWay = paymentState === 'updating' || paymentState === 'completing';
  const failure = isAborting || paymentState === 'aborted' || paymentState === 'void' ? round.failure : null;
  const [rejection] = round.rejections;
  return {
    paymentId: round.paymentId,
    state: paymentState,
    code: failure?.code ?? '',
    message: failure ? wordsFor(failure) : '',
    evidence: isAborting ? (rejection?.macs ?? null) : isUnderWay ? round.evidence : null,
    rejectedBy: isAborting ? (rejection?.from ?? null) : null,
    atMs: state.nowMs,
  };
}

function setDeadline(state: HubState, round: Round): void {
  const { stepTimeoutMs } = state.settings;
  const wait = Math.min(stepTimeoutMs * 2 ** round.repeats, Math.max(MAX_REPEAT_MS, stepTimeoutMs));
  const expiryMs = round.terms.expiry * 1000 + 1;
  const end = state.nowMs + wait;
  round.deadlineMs = round.phase === 'preparing' && expiryMs > state.nowMs ? Math.min(end, expiryMs) : end;
  state.deadlines.set(round.paymentId, round.deadlineMs);
}

/** The phases that follow one another; what was asked in the one before is of no interest any more. */
function enter(state: HubState, round: Round, phase: 'cancelling' | 'updating' | 'completing' | 'aborting'): void {
  round.phase = phase;
  round.repeats = 0;
  for (const member of round.members) {
    member.asked = null;
    member.failures = 0;
    noLongerHeld(state, round, member);
  }
  setDeadline(state, round);
  if (phase !== 'cancelling') write(state, { kind: 'paymentMoved', progress: progressOf(state, round, phase) });
  askAll(state, round);
  state.moved.add(round);
}

/** Moves on where what is here suffices; called after every answer. */
export function advance(state: HubState, round: Round): void {
  switch (round.phase) {
    case 'preparing':
    case 'cancelling':
      if (round.members.every((member) => member.pre !== null)) {
        round.evidence = round.members.map((_, place) => combined(round, 'pre', place));
        enter(state, round, 'updating');
      } else if (round.phase === 'cancelling' && !round.members.some((member) => member.mayHold)) {
        finish(state, round, 'aborted');
      } else if (round.phase === 'preparing') {
        askLast(state, round);
      }
      return;
    case 'updating':
      if (!round.members.every((member) => member.post !== null)) return;
      round.evidence = round.members.map((_, place) => combined(round, 'post', place));
      enter(state, round, 'completing');
      return;
    case 'completing':
      if (round.members.every((member) => hasAnswered('completing', member))) finish(state, round, 'complete');
      return;
    case 'aborting':
      if (round.members.every((member) => member.isSettled)) finish(state, round, 'aborted');
      else if (!round.isReleased && round.members.every((each) => each.isSettled || !isOnline(state, each)))
        release(state, round);
      return;
    case 'over':
      return;
  }
}

const isOnline = (state: HubState, member: Member): boolean =>
  (state.terminals.get(member.identity)?.session ?? null) !== null;

/** Whoever prepares last is asked when the others are through. */
function askLast(state: HubState, round: Round): void {
  for (const [place, member] of round.members.entries()) if (member.isLast && !member.pre) ask(state, round, place);
}

function release(state: HubState, round: Round): void {
  round.isReleased = true;
  state.moved.add(round);
}

/** A REJECT is here: the payment can never be applied any more. */
export function abort(state: HubState, round: Round, rejection: { from: Identity; macs: Macs }): void {
  round.rejections.push(rejection);
  if (round.phase === 'aborting') return;
  for (const member of round.members) if (!member.mayHold) settle(round, member);
  enter(state, round, 'aborting');
}

/** Nothing is locked for this payment at this participant any more. */
export function settle(round: Round, member: Member): void {
  member.isSettled = true;
  member.asked = null;
  for (const index of member.outgoing) {
    const lock = round.locks[index];
    if (lock) moveLock(lock, 'none');
  }
}

/** Ends a payment that not everybody has prepared. After that it is too late, and nothing happens. */
export function cancel(state: HubState, round: Round, failure: Failure): boolean {
  if (round.phase !== 'preparing') return false;
  round.failure = failure;
  enter(state, round, 'cancelling');
  advance(state, round);
  return true;
}

/** Nobody is asked anything more about this payment. */
function finish(state: HubState, round: Round, outcome: NonNullable<Round['outcome']>): void {
  round.phase = 'over';
  round.outcome = outcome;
  for (const lock of round.locks) moveLock(lock, 'none');
  for (const member of round.members) {
    noLongerHeld(state, round, member);
    state.terminals.get(member.identity)?.payments.delete(round.paymentId);
  }
  state.rounds.delete(round.paymentId);
  if (outcome === 'complete') state.counters.paymentsComplete++;
  else if (outcome === 'aborted') state.counters.paymentsAborted++;
  else state.counters.paymentsEndedOnChain++;
  write(state, { kind: 'paymentMoved', progress: progressOf(state, round, outcome) });
  round.isReleased = true;
  state.moved.add(round);
}

/**
 * An outcome is on chain (section 5). A payment whose POST or REJECT evidence is here goes on to its end, which is the
 * same; any other is over for the hub: its participants follow the record by consent or exit.
 */
export function endOnChain(state: HubState, paymentId: PaymentId, outcome: Outcome): void {
  const round = state.rounds.get(paymentId);
  if (!round || round.phase === 'completing') return;
  if (outcome === 'VOID') {
    if (round.phase === 'aborting') return;
    round.failure = { code: 'VOID_ON_CHAIN', by: null, silent: [] };
    return finish(state, round, 'void');
  }
  finish(state, round, 'applied');
}

/** The time set for this payment has come. */
export function due(state: HubState, round: Round): void {
  if (state.nowMs < round.deadlineMs) {
    for (const [place, member] of round.members.entries()) if (member.held !== null) askAgain(state, round, place);
    return;
  }
  if (round.phase === 'preparing') {
    const silent = round.members.filter((member) => member.pre === null).map((member) => member.identity);
    const isExpired = state.nowMs > round.terms.expiry * 1000;
    cancel(state, round, { code: isExpired ? 'EXPIRED' : 'TIMEOUT', by: null, silent });
    return;
  }
  round.repeats = Math.min(round.repeats + 1, 16);
  setDeadline(state, round);
  if (round.phase === 'aborting') round.isReleased = true;
  repeatAll(state, round);
  state.moved.add(round);
}

/** A COMPLETE arrived at `member`: what it was paid is its own now, as its report will say. */
export function freeIncoming(round: Round, member: Member): void {
  for (const index of member.incoming) {
    const lock = round.locks[index];
    if (lock) moveLock(lock, 'none');
  }
}

/** A COMPLETE arrived at `member`: payments that it held for want of this one may go on. */
export function askHeldBy(state: HubState, round: Round, member: Member): void {
  if (state.held.size === 0) return;
  const places = [...member.incoming, ...member.outgoing];
  const channelIds = places.flatMap((index) => round.terms.transfers[index]?.channelId ?? []);
  askHeld(state, member.identity, channelIds);
}
