/**
 * Terminals come and go, look each other up and write to each other through the hub (seed patent 410).
 * Who they are was proven before an event reaches this file (hub/net/hello.ts).
 */

import { encode } from '../../enclave/core/codec.ts';
import { equalBytes } from '../../enclave/core/hash.ts';
import { type Introduction, introductionCodec, type Profile, profileCodec } from '../../enclave/core/wire.ts';
import { ask, introduce, send } from './asking.ts';
import { own } from './channels.ts';
import { advance } from './drive.ts';
import type { HubEvent, SessionMessage, SessionNumber } from './events.ts';
import { tell } from './orders.ts';
import { type HubState, type Terminal, write } from './state.ts';

/** A terminal that the hub knows by credential, online or not. */
export function addTerminal(state: HubState, introduction: Introduction, profile: Profile): Terminal {
  const { identity } = introduction.credential;
  const terminal: Terminal = {
    identity,
    introduction,
    version: 1,
    profile,
    session: null,
    node: state.map.putNode(identity, profile.policy, state.settings.initialRttMs),
    channels: new Set(),
    earlyReports: new Map(),
    introduced: new Map(),
    payments: new Set(),
    orders: new Set(),
    quotes: { second: 0, count: 0 },
  };
  state.terminals.set(identity, terminal);
  ownAddresses(state, terminal);
  return terminal;
}

function ownAddresses(state: HubState, terminal: Terminal): void {
  own(state, terminal, terminal.identity);
  for (const { address } of terminal.introduction.certificates) own(state, terminal, address);
}

/** Takes over what a terminal says of itself, and writes it down where it is new. */
function update(state: HubState, terminal: Terminal, said: { introduction: Introduction; profile: Profile }): void {
  const before = [encode(introductionCodec, terminal.introduction), encode(profileCodec, terminal.profile)] as const;
  const after = [encode(introductionCodec, said.introduction), encode(profileCodec, said.profile)] as const;
  const isSameIntroduction = equalBytes(before[0], after[0]);
  if (isSameIntroduction && equalBytes(before[1], after[1])) return;
  terminal.profile = said.profile;
  state.map.putNode(terminal.identity, said.profile.policy, terminal.node.rttMs);
  if (!isSameIntroduction) {
    terminal.introduction = said.introduction;
    terminal.version++;
    ownAddresses(state, terminal);
  }
  write(state, { kind: 'terminalKnown', terminal: said });
}

export function connected(state: HubState, event: Extract<HubEvent, { kind: 'connected' }>): void {
  const { session, introduction, profile } = event;
  let terminal = state.terminals.get(introduction.credential.identity);
  const { maxTerminals } = state.settings.limits;
  if (!terminal && state.terminals.size >= maxTerminals) {
    const message = `This hub serves ${maxTerminals} terminals already. Use another hub.`;
    state.effects.push({ kind: 'close', session, code: 'HUB_FULL', message });
    return;
  }
  if (!terminal) {
    terminal = addTerminal(state, introduction, profile);
    write(state, { kind: 'terminalKnown', terminal: { introduction, profile } });
  } else {
    replaceSession(state, terminal);
    update(state, terminal, { introduction, profile });
  }
  state.sessions.set(session, terminal);
  terminal.session = session;
  terminal.node.online = true;
  send(state, terminal, { kind: 'welcome', heartbeatMs: state.settings.heartbeatMs });
  for (const neighbour of neighbours(terminal)) {
    const other = state.terminals.get(neighbour);
    if (!other || other.session === null) continue;
    send(state, terminal, { kind: 'presence', identity: neighbour, online: true });
    send(state, other, { kind: 'presence', identity: terminal.identity, online: true });
  }
  takeUp(state, terminal);
}

/** The newer proven session replaces the older: the terminal itself opened it. */
function replaceSession(state: HubState, terminal: Terminal): void {
  const { session } = terminal;
  if (session === null) return;
  const message = 'This terminal connected again elsewhere. Run one daemon for one terminal.';
  state.effects.push({ kind: 'close', session, code: 'ALREADY_CONNECTED', message });
  forget(state, terminal, session);
}

function forget(state: HubState, terminal: Terminal, session: SessionNumber): void {
  state.sessions.delete(session);
  terminal.session = null;
  terminal.introduced.clear();
  terminal.earlyReports.clear();
}

function* neighbours(terminal: Terminal) {
  const seen = new Set([terminal.identity]);
  for (const { sides } of terminal.channels) {
    for (const { owner } of [sides.A, sides.B]) {
      if (owner === null || seen.has(owner)) continue;
      seen.add(owner);
      yield owner;
    }
  }
}

/** Whatever waited for this terminal goes on: open steps are asked again, its orders' news are told. */
function takeUp(state: HubState, terminal: Terminal): void {
  for (const paymentId of [...terminal.payments]) {
    const round = state.rounds.get(paymentId);
    const place = round?.place.get(terminal.identity);
    const member = place === undefined ? undefined : round?.members[place];
    if (!round || !member || place === undefined) continue;
    member.asked = null;
    member.failures = 0;
    ask(state, round, place);
  }
  for (const orderId of terminal.orders) {
    const entry = state.orders.get(orderId);
    if (entry) tell(state, terminal, entry);
  }
}

export function disconnected(state: HubState, session: SessionNumber): void {
  const terminal = state.sessions.get(session);
  if (!terminal) return;
  forget(state, terminal, session);
  terminal.node.online = false;
  for (const neighbour of neighbours(terminal)) {
    const other = state.terminals.get(neighbour);
    if (other) send(state, other, { kind: 'presence', identity: terminal.identity, online: false });
  }
  for (const paymentId of [...terminal.payments]) {
    const round = state.rounds.get(paymentId);
    if (round?.phase === 'aborting') advance(state, round);
  }
}

type Message<Kind extends SessionMessage['kind']> = Extract<SessionMessage, { kind: Kind }>;

export function announced(state: HubState, terminal: Terminal, message: Message<'announce'>): void {
  const { certificates, profile } = message;
  const { credential } = terminal.introduction;
  update(state, terminal, { introduction: { credential, certificates }, profile });
}

export function lookup(state: HubState, terminal: Terminal, message: Message<'lookup'>): void {
  const found = state.terminals.get(message.identity);
  if (!found) return send(state, terminal, { kind: 'notFound', identity: message.identity });
  const { introduction, profile, session } = found;
  send(state, terminal, { kind: 'found', ...introduction, profile, online: session !== null });
}

/** Hands over what one terminal says to another, after the introduction that it needs to be understood. */
export function handOver(state: HubState, terminal: Terminal, message: Message<'relay' | 'propose'>): void {
  const { to } = message;
  const receiver = state.terminals.get(to);
  if (!receiver || receiver.session === null) return send(state, terminal, { kind: 'undeliverable', to });
  introduce(state, receiver, terminal);
  const from = terminal.identity;
  if (message.kind === 'relay') send(state, receiver, { kind: 'relayed', from, message: message.message });
  else send(state, receiver, { kind: 'proposed', from, channel: message.channel, side: message.side });
}
