/**
 * Starts from what an earlier run wrote (PROTOCOL.md section 4, Restart): channels, terminals, and every payment that was
 * not over. A decision was written with its evidence, so its steps can be asked at once; a payment without decision is
 * prepared again, or cancelled where it has expired, and its participants' answers decide.
 */

import type { Deployment } from '../../enclave/core/credential.ts';
import { addChannel } from './channels.ts';
import { adopt, newRound } from './drive.ts';
import { newEntry, remember } from './orders.ts';
import { isUnfinished, type PaymentRecord, type PaymentState, type Snapshot } from './records.ts';
import type { Failure, Round, RoundPhase } from './round.ts';
import { addTerminal } from './sessions.ts';
import { type HubState, newState, type Settings } from './state.ts';
import { isFailureCode } from './words.ts';

export function resume(
  deployment: Deployment,
  snapshot: Snapshot,
  from: { settings: Settings; nowMs: number },
): HubState {
  const state = newState(deployment, from.settings, from.nowMs);
  for (const { introduction, profile } of snapshot.terminals) addTerminal(state, introduction, profile);
  for (const { channelId, identity, depositA, depositB } of snapshot.channels) {
    const channel = addChannel(state, channelId, identity);
    if (!channel) continue;
    channel.sides.A.deposit = depositA;
    channel.sides.B.deposit = depositB;
  }
  for (const payment of snapshot.payments) resumePayment(state, payment);
  if (snapshot.terminals.length > 0) state.graceUntilMs = from.nowMs + from.settings.restartGraceMs;
  state.cursor = snapshot.cursor;
  state.effects = [];
  return state;
}

function resumePayment(state: HubState, payment: PaymentRecord): void {
  const { order, attempt, paymentId, terms } = payment;
  // Of several attempts the later one speaks for the order; an earlier one that is not over is still driven.
  const entry = newEntry(order, attempt);
  entry.isCancelled = payment.code === 'GIVEN_UP';
  const known = { paymentId, attempt, hops: terms.transfers.length, code: payment.code, message: payment.message };
  const before = state.orders.get(order.orderId) ?? state.ordersOver.get(order.orderId);
  if (before && before.attempt > attempt) {
    if (isUnfinished(payment.state)) adopt(state, resumeRound(state, payment));
    return;
  }
  state.orders.delete(order.orderId);
  state.ordersOver.delete(order.orderId);
  if (!isUnfinished(payment.state)) {
    const isPaid = payment.state === 'complete' || payment.state === 'applied';
    entry.news = { ...known, state: isPaid ? 'complete' : 'failed' };
    entry.attempt = attempt + 1;
    entry.isOver = true;
    state.terminals.get(order.payer)?.orders.delete(order.orderId);
    return remember(state, entry);
  }
  const round = resumeRound(state, payment);
  adopt(state, round);
  entry.round = round;
  const { phase } = round;
  entry.news = { ...known, state: phase === 'updating' || phase === 'completing' ? phase : 'preparing' };
  state.orders.set(order.orderId, entry);
  state.terminals.get(order.payer)?.orders.add(order.orderId);
}

function resumeRound(state: HubState, payment: PaymentRecord): Round {
  const round = newRound(state, payment);
  round.phase = phaseOf(payment, state.nowMs);
  if (payment.state === 'updating' || payment.state === 'completing') round.evidence = payment.evidence;
  if (payment.state === 'aborting' && payment.evidence && payment.rejectedBy) {
    round.rejections.push({ from: payment.rejectedBy, macs: payment.evidence });
  }
  round.failure = failureOf(payment, round);
  // Anybody may have been asked before the hub stopped.
  for (const member of round.members) {
    member.mayHold = true;
    if (round.rejections.some((each) => each.from === member.identity)) member.isSettled = true;
  }
  return round;
}

function phaseOf(payment: PaymentRecord, nowMs: number): RoundPhase {
  const phases: Readonly<Partial<Record<PaymentState, RoundPhase>>> = {
    updating: 'updating',
    completing: 'completing',
    aborting: 'aborting',
  };
  return phases[payment.state] ?? (payment.terms.expiry * 1000 < nowMs ? 'cancelling' : 'preparing');
}

function failureOf(payment: PaymentRecord, round: Round): Failure | null {
  if (round.phase === 'cancelling') return { code: 'EXPIRED', by: null, silent: [] };
  return isFailureCode(payment.code) ? { code: payment.code, by: payment.rejectedBy, silent: [] } : null;
}
