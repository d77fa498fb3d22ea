/**
 * Sends steps to participants, and before them whatever introductions a step needs (PROTOCOL.md sections 4 and 9).
 * Everything may be asked again: an enclave that passed a step answers that step's evidence again.
 */

import type { ChannelId, Identity } from '../../enclave/core/ids.ts';
import type { HubMessage } from '../../enclave/core/wire.ts';
import { MAX_INTRODUCED } from './limits.ts';
import { type Member, nextStep, type Round } from './round.ts';
import { type HubState, heldKey, type Terminal } from './state.ts';

/** To a terminal's session; nothing where it has none. */
export function send(state: HubState, terminal: Terminal, message: HubMessage): void {
  if (terminal.session !== null) state.effects.push({ kind: 'send', session: terminal.session, message });
}

/** Introduces `other` to `terminal`: once in a session for each version of its certificates. */
export function introduce(state: HubState, terminal: Terminal, other: Terminal): void {
  if (other === terminal || terminal.introduced.get(other.identity) === other.version) return;
  if (terminal.introduced.size >= MAX_INTRODUCED) terminal.introduced.clear();
  terminal.introduced.set(other.identity, other.version);
  send(state, terminal, { kind: 'introduce', ...other.introduction });
}

/** Asks the member at `place` for what is open, unless it was asked already or has no session. */
export function ask(state: HubState, round: Round, place: number): void {
  const member = round.members[place];
  const terminal = member && state.terminals.get(member.identity);
  if (!terminal || terminal.session === null || member.asked !== null) return;
  const step = nextStep(round, place);
  if (!step) return;
  if (step.kind === 'prepare' || step.kind === 'cancel') introduceAll(state, round, terminal);
  if (step.kind === 'prepare') member.mayHold = true;
  member.asked = step.kind;
  noLongerHeld(state, round, member);
  send(state, terminal, { kind: 'step', step });
}

function introduceAll(state: HubState, round: Round, terminal: Terminal): void {
  for (const { identity } of round.members) {
    const other = state.terminals.get(identity);
    if (other) introduce(state, terminal, other);
  }
}

/** As `ask`, of everybody at once: the time of a step is that of the slowest, not the sum. */
export function askAll(state: HubState, round: Round): void {
  for (let place = 0; place < round.members.length; place++) ask(state, round, place);
}

/** Asks even where the last asking stands unanswered. */
export function askAgain(state: HubState, round: Round, place: number): void {
  const member = round.members[place];
  if (member) member.asked = null;
  ask(state, round, place);
}

/** Asks again whoever has not answered. */
export function repeatAll(state: HubState, round: Round): void {
  for (let place = 0; place < round.members.length; place++) askAgain(state, round, place);
}

/** The participant waits for the next COMPLETE on this channel. */
export function nowHeld(state: HubState, round: Round, waiting: { member: Member; channelId: ChannelId }): void {
  const { member, channelId } = waiting;
  const key = heldKey(member.identity, channelId);
  const present = state.held.get(key);
  member.held = channelId;
  if (!present) state.held.set(key, new Set([round.paymentId]));
  else if (present.size < state.settings.limits.maxHeldPerChannel) present.add(round.paymentId);
}

export function noLongerHeld(state: HubState, round: Round, member: Member): void {
  if (member.held === null) return;
  const key = heldKey(member.identity, member.held);
  const present = state.held.get(key);
  member.held = null;
  present?.delete(round.paymentId);
  if (present?.size === 0) state.held.delete(key);
}

/** After a COMPLETE at `identity`: whoever was short only by what is final now. */
export function askHeld(state: HubState, identity: Identity, channelIds: Iterable<ChannelId>): void {
  if (state.held.size === 0) return;
  for (const channelId of channelIds) {
    for (const paymentId of [...(state.held.get(heldKey(identity, channelId)) ?? [])]) {
      const round = state.rounds.get(paymentId);
      const place = round?.place.get(identity);
      if (round && place !== undefined) askAgain(state, round, place);
    }
  }
}
