/**
 * Channels as the chain has them, and whose they are (seed patent 110, PROTOCOL.md section 3).
 * A channel enters the map when both of its party addresses belong to terminals that the hub knows.
 */

import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import type { Address, ChannelId } from '../../enclave/core/ids.ts';
import { judge } from './balances.ts';
import { endOnChain } from './drive.ts';
import type { ChainEvent } from './events.ts';
import { MAX_NETWORK_CHANNELS } from './limits.ts';
import type { ChainCursor } from './records.ts';
import { type ChannelSide, type HubState, type NetworkChannel, type Terminal, warn, write } from './state.ts';

const newSide = (party: Address): ChannelSide => ({
  party,
  owner: null,
  deposit: 0n,
  reported: null,
  reserved: 0n,
  pending: 0n,
  direction: null,
});

/** @returns null where the hub is full */
export function addChannel(state: HubState, channelId: ChannelId, identity: ChannelIdentity): NetworkChannel | null {
  const known = state.channels.get(channelId);
  if (known) return known;
  if (state.channels.size >= MAX_NETWORK_CHANNELS) {
    warn(state, 'the hub follows as many channels as it can; this one is ignored', { channelId });
    return null;
  }
  const sides = { A: newSide(identity.partyA), B: newSide(identity.partyB) };
  const channel: NetworkChannel = { channelId, identity, sides, isConsistent: true };
  state.channels.set(channelId, channel);
  for (const side of [sides.A, sides.B]) {
    const owner = state.addressOwner.get(side.party);
    const terminal = owner && state.terminals.get(owner);
    if (terminal) claim(state, terminal, { channel, side });
    else waiting(state, side.party).add(channel);
  }
  return channel;
}

function waiting(state: HubState, party: Address): Set<NetworkChannel> {
  const present = state.unowned.get(party);
  if (present) return present;
  const fresh = new Set<NetworkChannel>();
  state.unowned.set(party, fresh);
  return fresh;
}

/** `terminal` has certified `address`. The first that does keeps it. */
export function own(state: HubState, terminal: Terminal, address: Address): void {
  const before = state.addressOwner.get(address);
  if (before === terminal.identity) return;
  if (before) {
    warn(state, 'two terminals certify one address; the first keeps it', {
      address,
      first: before,
      second: terminal.identity,
    });
    return;
  }
  state.addressOwner.set(address, terminal.identity);
  for (const channel of state.unowned.get(address) ?? []) {
    for (const side of [channel.sides.A, channel.sides.B]) {
      if (side.party === address) claim(state, terminal, { channel, side });
    }
  }
  state.unowned.delete(address);
}

function claim(state: HubState, terminal: Terminal, part: { channel: NetworkChannel; side: ChannelSide }): void {
  const { channel, side } = part;
  side.owner = terminal.identity;
  terminal.channels.add(channel);
  side.reported = terminal.earlyReports.get(channel.channelId) ?? null;
  terminal.earlyReports.delete(channel.channelId);
  const { A, B } = channel.sides;
  if (A.owner === null || B.owner === null || A.owner === B.owner || A.direction) return;
  A.direction = direct(state, channel, { from: A, to: B });
  B.direction = direct(state, channel, { from: B, to: A });
  judge(state, channel, null);
}

function direct(state: HubState, channel: NetworkChannel, ends: { from: ChannelSide; to: ChannelSide }) {
  const { from, to } = ends;
  if (from.owner === null || to.owner === null) return null;
  return state.map.addDirection({
    channelId: channel.channelId,
    token: channel.identity.token,
    payer: from.owner,
    payee: to.owner,
    payerParty: from.party,
    payeeParty: to.party,
    spendable: 0n,
  });
}

/** Settled: its id is never used again (PROTOCOL.md section 3, Identity). */
function removeChannel(state: HubState, channel: NetworkChannel): void {
  state.channels.delete(channel.channelId);
  for (const side of [channel.sides.A, channel.sides.B]) {
    if (side.direction) state.map.removeDirection(side.direction);
    side.direction = null;
    if (side.owner) state.terminals.get(side.owner)?.channels.delete(channel);
    const others = state.unowned.get(side.party);
    others?.delete(channel);
    if (others?.size === 0) state.unowned.delete(side.party);
  }
}

/** Takes in what the chain confirmed, and how far it was read, in one. */
export function chainRead(state: HubState, events: readonly ChainEvent[], cursor: ChainCursor): void {
  for (const event of events) takeChainEvent(state, event);
  state.cursor = cursor;
  state.cursorAtMs = state.nowMs;
  write(state, { kind: 'chainRead', cursor });
}

function takeChainEvent(state: HubState, event: ChainEvent): void {
  switch (event.kind) {
    case 'opened': {
      const { channelId, identity } = event;
      if (addChannel(state, channelId, identity)) write(state, { kind: 'channelOpened', channelId, identity });
      return;
    }
    case 'deposited': {
      const channel = state.channels.get(event.channelId);
      if (!channel) return;
      channel.sides[event.side].deposit = event.total;
      judge(state, channel, null);
      write(state, event);
      return;
    }
    case 'settled': {
      const { channelId, creditA, creditB } = event;
      const channel = state.channels.get(channelId);
      if (!channel) return;
      removeChannel(state, channel);
      write(state, { kind: 'channelSettled', channelId, creditA, creditB });
      return;
    }
    case 'outcome':
      endOnChain(state, event.paymentId, event.outcome);
      return;
  }
}
