/**
 * Takes in what participants answer (PROTOCOL.md section 4). The hub cannot verify evidence: it counts, combines and hands
 * on; a liar can only leave a payment waiting, which `waitingFor` shows and `record` on chain ends.
 */

import type { Identity } from '../../enclave/core/ids.ts';
import type { StepAnswer, StepKind } from '../../enclave/core/round-messages.ts';
import { ask, nowHeld } from './asking.ts';
import { lockPrepared, takeReports } from './balances.ts';
import { abort, advance, askHeldBy, cancel, freeIncoming, settle } from './drive.ts';
import { MAX_STEP_FAILURES } from './limits.ts';
import { byPlace, type Member, type Round } from './round.ts';
import { type HubState, type Terminal, warn } from './state.ts';

export function takeAnswer(state: HubState, terminal: Terminal, answer: StepAnswer): void {
  const round = state.rounds.get(answer.paymentId);
  const place = round?.place.get(terminal.identity);
  const member = place === undefined ? undefined : round?.members[place];
  if (!round || !member || place === undefined) {
    // Late answers to a payment that is over still tell what can be spent.
    if ('balances' in answer) takeReports(state, terminal, answer.balances);
    return;
  }
  if ('evidence' in answer && answer.evidence.length !== round.members.length - 1) {
    return strange(state, terminal.identity, 'evidence for another number of participants');
  }
  if (isAnswerTo(member.asked, answer.kind)) member.asked = null;
  record(state, { round, member, place }, answer);
  // After the locks were moved: the report is of the state after the step.
  if ('balances' in answer) takeReports(state, terminal, answer.balances);
  if (answer.kind === 'completed') askHeldBy(state, round, member);
  ask(state, round, place);
  advance(state, round);
}

/** Whether the open step is answered; an answer to an earlier one may still come while a later one is open. */
function isAnswerTo(asked: StepKind | null, kind: StepAnswer['kind']): boolean {
  switch (kind) {
    case 'prepared':
    case 'held':
    case 'needPre':
      return asked === 'prepare';
    case 'rejected':
      return asked === 'prepare' || asked === 'cancel';
    case 'updated':
      return asked === 'update';
    case 'completed':
      return asked === 'complete' || asked === 'completeByDone';
    case 'aborted':
    case 'failed':
      return true;
  }
}

function strange(state: HubState, identity: Identity, what: string): void {
  state.counters.strangeAnswers++;
  warn(state, 'an answer that no honest enclave gives was ignored', { identity, what });
}

interface Seat {
  round: Round;
  member: Member;
  place: number;
}

/** Writes down what was answered. Whether it suffices to go on is decided by `advance`. */
function record(state: HubState, seat: Seat, answer: StepAnswer): void {
  const { round, member, place } = seat;
  switch (answer.kind) {
    case 'prepared':
      member.mayHold = true;
      member.isPrepared = true;
      member.pre ??= answer.evidence;
      forOutgoing(round, member, lockPrepared);
      return;
    case 'updated':
      member.post ??= answer.evidence;
      return;
    case 'completed':
      member.done ??= answer.evidence;
      freeIncoming(round, member);
      return;
    case 'rejected':
      return rejected(state, seat, answer);
    case 'aborted':
      settle(round, member);
      if (round.phase === 'preparing') giveUp(state, round, member);
      return;
    case 'held':
      member.mayHold = false;
      if (round.phase !== 'preparing' || !round.terms.transfers.some((each) => each.channelId === answer.channelId))
        return;
      nowHeld(state, round, { member, channelId: answer.channelId });
      // Stands until the next COMPLETE or the timer; `ask` would repeat it at once.
      member.asked = 'prepare';
      state.deadlines.set(round.paymentId, state.nowMs + state.settings.heldRetryMs);
      return;
    case 'needPre':
      member.mayHold = false;
      member.isLast = true;
      if (round.members.some((other, at) => at !== place && other.isLast)) giveUp(state, round, member);
      return;
    case 'failed':
      return failed(state, seat, answer);
  }
}

function forOutgoing(round: Round, member: Member, change: typeof lockPrepared): void {
  for (const index of member.outgoing) {
    const lock = round.locks[index];
    if (lock) change(lock);
  }
}

function rejected(state: HubState, seat: Seat, answer: Extract<StepAnswer, { kind: 'rejected' }>): void {
  const { round, member, place } = seat;
  if (member.pre || round.phase === 'updating' || round.phase === 'completing') {
    return strange(state, member.identity, 'REJECT after PRE');
  }
  member.mayHold = false;
  settle(round, member);
  if (round.rejections.some((each) => each.from === member.identity)) return;
  round.failure ??= { code: answer.reason, by: member.identity, silent: [] };
  abort(state, round, { from: member.identity, macs: byPlace(answer.evidence, place) });
}

/** Cancels a payment that this participant cannot prepare. */
function giveUp(state: HubState, round: Round, member: Member): void {
  cancel(state, round, { code: 'NOT_PREPARABLE', by: member.identity, silent: [] });
}

/** An error without evidence: nothing was promised and nothing has changed there. */
function failed(state: HubState, seat: Seat, answer: Extract<StepAnswer, { kind: 'failed' }>): void {
  const { round, member } = seat;
  member.failures++;
  // Not asked again at once, but by the timer, unless a case below knows better.
  member.asked = 'prepare';
  if (answer.code !== 'ALREADY_PREPARED') {
    const { paymentId, phase } = round;
    const facts = { identity: member.identity, paymentId, phase, code: answer.code, words: answer.message };
    warn(state, 'a participant could not take a step', facts);
  }
  switch (answer.code) {
    case 'UNKNOWN_PARTICIPANT': {
      const introduced = state.terminals.get(member.identity)?.introduced;
      for (const { identity } of round.members) introduced?.delete(identity);
      member.mayHold = false;
      if (member.failures <= MAX_STEP_FAILURES) member.asked = null;
      else giveUp(state, round, member);
      return;
    }
    case 'ALREADY_PREPARED':
      member.mayHold = true;
      member.isPrepared = true;
      member.asked = null;
      return;
    case 'FORGOTTEN':
    case 'RESOLVED_ON_CHAIN':
      member.mayHold = false;
      settle(round, member);
      return giveUp(state, round, member);
    case 'UNKNOWN_PAYMENT':
    case 'REJECTED_HERE':
      if (round.phase === 'aborting') settle(round, member);
      return;
    case 'WRONG_EVIDENCE':
      if (round.phase === 'preparing') giveUp(state, round, member);
      // Another witness may convince it: somebody's DONE, or somebody else's REJECT.
      else if (round.phase !== 'updating' && member.failures <= round.members.length) member.asked = null;
      return;
    case 'MALFORMED_PAYMENT':
    case 'BEYOND_HORIZON':
    case 'TOMBSTONES_FULL':
      member.mayHold = false;
      return giveUp(state, round, member);
    case 'WRONG_PHASE':
    case 'FROZEN':
      return;
  }
}
