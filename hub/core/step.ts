/**
 * The hub's core: one event in, effects out; no clock, randomness, disk or socket (ARCHITECTURE.md).
 * `state` is changed in place. Effects are in the order in which they must happen, writes before anything is sent.
 */

import { takeAnswer } from './answers.ts';
import { takeReports } from './balances.ts';
import { chainRead } from './channels.ts';
import { due } from './drive.ts';
import type { Effect, HubEvent, SessionMessage } from './events.ts';
import { cancelOrder, followMoved, retryWaiting, takeOrder } from './orders.ts';
import { quote } from './quotes.ts';
import { announced, connected, disconnected, handOver, lookup } from './sessions.ts';
import type { HubState, Terminal } from './state.ts';

/** @param nowMs unix milliseconds; where it goes back, the hub's time stands still */
export function step(state: HubState, event: HubEvent, nowMs: number): Effect[] {
  state.nowMs = Math.max(state.nowMs, nowMs);
  take(state, event);
  followMoved(state);
  const { effects } = state;
  state.effects = [];
  return effects;
}

function take(state: HubState, event: HubEvent): void {
  switch (event.kind) {
    case 'connected':
      connected(state, event);
      return retryWaiting(state);
    case 'disconnected':
      return disconnected(state, event.session);
    case 'message': {
      const terminal = state.sessions.get(event.session);
      if (terminal) takeMessage(state, terminal, event.message);
      return;
    }
    case 'roundTrip': {
      const terminal = state.sessions.get(event.session);
      if (terminal) terminal.node.rttMs = event.rttMs;
      return;
    }
    case 'chain':
      return chainRead(state, event.events, event.cursor);
    case 'tick':
      retryWaiting(state);
      for (const paymentId of state.deadlines.due(state.nowMs)) {
        const round = state.rounds.get(paymentId);
        if (round) due(state, round);
      }
  }
}

function takeMessage(state: HubState, terminal: Terminal, message: SessionMessage): void {
  switch (message.kind) {
    case 'answer':
      return takeAnswer(state, terminal, message.answer);
    case 'order':
      return takeOrder(state, terminal, message.order);
    case 'cancelOrder':
      return cancelOrder(state, terminal, message.orderId);
    case 'balances':
      return takeReports(state, terminal, message.balances);
    case 'relay':
    case 'propose':
      return handOver(state, terminal, message);
    case 'lookup':
      return lookup(state, terminal, message);
    case 'announce':
      return announced(state, terminal, message);
    case 'routeRequest':
      return quote(state, terminal, message);
  }
}
