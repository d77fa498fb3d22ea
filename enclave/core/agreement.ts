/** Agreeing to channels and crediting deposits (PROTOCOL.md section 3, "Open" and "Deposit credit"). */

import { viewChannel, wouldOverflow } from './channel.ts';
import { type ChannelIdentity, otherSide, partyOf, type Side } from './channel-identity.ts';
import { type Decider, type Decision, decided, refused } from './decision.ts';
import { hashChannelIdentity } from './encoding.ts';
import { type ChannelId, type Identity, NATIVE, ZERO_ADDRESS } from './ids.ts';
import { MAX_AMOUNT, MAX_CHANNELS, MAX_DIRECT_UNACKNOWLEDGED as MAX_UNACKNOWLEDGED } from './limits.ts';
import { type PairBody, sealPairMessage } from './pair.ts';
import { acceptedPeer, whyNoPeer } from './self.ts';
import { whyBeyondLimits } from './spending.ts';
import { type Channel, ownerOf, type State } from './state.ts';

/** A message for the peer's enclave, or null where no accepted key of the peer is known. */
export function messageTo(state: State, receiver: Identity, body: PairBody): Uint8Array | null {
  const peer = acceptedPeer(state, receiver);
  if (!peer) return null;
  return sealPairMessage(state.keyRing.pairKey(peer), { sender: state.keyRing.identity, receiver, body });
}

export const noPeer = (state: State, peer: Identity): Decision =>
  refused('PEER_REFUSED', `No message can be made for the peer: ${whyNoPeer(state, peer)}.`);

export const unknownChannel = (channelId: ChannelId): Decision =>
  refused('UNKNOWN_CHANNEL', `This terminal has no channel ${channelId}; look at its list of channels.`);

/** Why a channel takes no new money or promises, or null. */
export function whyNotUsable(channel: Channel): { code: string; message: string } | null {
  if (!channel.agreedByPeer) {
    return { code: 'NOT_AGREED', message: 'The peer has not agreed to this channel yet; wait until it is online.' };
  }
  if (channel.exit || channel.settled) {
    return { code: 'CHANNEL_CLOSING', message: 'This channel is being closed or is closed; use another one.' };
  }
  if (channel.suspended) {
    return { code: 'CHANNEL_SUSPENDED', message: 'A confirmed deposit is gone from the chain; wait until it is back.' };
  }
  return null;
}

export const agree: Decider<'agree'> = (state, command) => {
  const { channel, side, peer } = command;
  const wrong = whyNotAgreeable(state, { channel, side, peer });
  if (wrong) return wrong;
  const channelId = hashChannelIdentity(state.deployment.domain, channel);
  const known = state.channels.get(channelId);
  if (known && (known.exit || known.settled)) {
    return refused(
      'CHANNEL_CLOSING',
      'An exit was signed for this channel; an id is used once for ever. Choose a new salt.',
    );
  }
  if (!known && state.channels.size >= MAX_CHANNELS) {
    return refused('TOO_MANY_CHANNELS', `${MAX_CHANNELS} channels are kept; this enclave takes no more.`);
  }
  const message = messageTo(state, peer, { kind: 'agree', channelId });
  if (!message) return noPeer(state, peer);
  const result = { kind: 'messages' as const, messages: [message] };
  return known ? decided(result) : decided(result, { kind: 'agreed', channelId, channel, side, peer });
};

function whyNotAgreeable(
  state: State,
  proposal: { channel: ChannelIdentity; side: Side; peer: Identity },
): Decision | null {
  const { channel, side, peer } = proposal;
  if (!state.keyRing.partyKey(partyOf(channel, side))) {
    return refused('WRONG_PARTY', `Party ${side} of the channel is no address of this terminal.`);
  }
  if (ownerOf(state, partyOf(channel, otherSide(side))) !== peer || peer === state.keyRing.identity) {
    return refused('WRONG_PARTY', `Party ${otherSide(side)} of the channel is not certified to belong to ${peer}.`);
  }
  if (channel.payoutA === ZERO_ADDRESS || channel.payoutB === ZERO_ADDRESS) {
    return refused('NO_PAYOUT', 'Both sides need a payout address: credits to the zero address would be lost.');
  }
  if (channel.token !== NATIVE) return refused('UNSUPPORTED', 'This release opens channels in the native coin only.');
  if (channel.challengePeriod !== 0) {
    return refused('UNSUPPORTED', 'This release knows no stale exits; the challenge period must be 0.');
  }
  return null;
}

export const confirmDeposit: Decider<'confirmDeposit'> = (state, command) => {
  const { channelId, total } = command;
  const channel = state.channels.get(channelId);
  if (!channel) return unknownChannel(channelId);
  if (channel.exit || channel.settled)
    return refused('CHANNEL_CLOSING', 'Nothing is confirmed any more on a channel that is being closed.');
  const confirmed = channel.theirs.deposit;
  if (total < confirmed) {
    const result = { kind: 'messages' as const, messages: [] };
    return channel.suspended ? decided(result) : decided(result, { kind: 'depositMissing', channelId });
  }
  if (total + channel.own.deposit > MAX_AMOUNT) {
    return refused('AMOUNT_OUT_OF_RANGE', 'The deposits of a channel together stay below 2^128.');
  }
  const message = messageTo(state, channel.peer, confirmation(channel, total));
  if (!message) return noPeer(state, channel.peer);
  const result = { kind: 'messages' as const, messages: [message] };
  return total === confirmed && !channel.suspended
    ? decided(result)
    : decided(result, { kind: 'depositConfirmed', channelId, total });
};

const confirmation = (channel: Channel, total: bigint): PairBody => ({
  kind: 'confirm',
  channelId: channel.channelId,
  side: otherSide(channel.side),
  total,
});

export const resend: Decider<'resend'> = (state, command) => {
  const bodies: PairBody[] = [];
  for (const channel of state.channels.values()) {
    if (channel.peer !== command.peer || channel.exit || channel.settled) continue;
    const { channelId } = channel;
    bodies.push({ kind: 'agree', channelId });
    if (channel.theirs.deposit > 0n) bodies.push(confirmation(channel, channel.theirs.deposit));
    for (const direct of channel.directUnacknowledged) bodies.push({ kind: 'direct', channelId, ...direct });
  }
  const messages = bodies.slice(0, MAX_CHANNELS).map((body) => messageTo(state, command.peer, body));
  return decided({ kind: 'messages', messages: messages.filter((message) => message !== null) });
};

export const direct: Decider<'direct'> = (state, command) => {
  const { channelId, amount, reference } = command;
  const channel = state.channels.get(channelId);
  if (!channel) return unknownChannel(channelId);
  const wrong = whyNotUsable(channel);
  if (wrong) return refused(wrong.code, wrong.message);
  const view = viewChannel(state, channel);
  if (amount < 1n || wouldOverflow(channel.own, view.pendingOut + amount)) {
    return refused(
      'AMOUNT_OUT_OF_RANGE',
      'The amount must be at least 1 base unit, and all that was ever sent below 2^128.',
    );
  }
  if (amount > view.spendable) {
    return refused(
      'NOT_ENOUGH_BALANCE',
      `${view.spendable} of base units can be spent on this channel; pay less, or deposit more.`,
    );
  }
  const beyond = whyBeyondLimits(state, channel.channel.token, amount);
  if (beyond) return beyond;
  if (channel.directUnacknowledged.length >= MAX_UNACKNOWLEDGED) {
    return refused(
      'TOO_MANY_PENDING',
      `${MAX_UNACKNOWLEDGED} direct payments wait for the peer; wait until it is online.`,
    );
  }
  const body: PairBody = {
    kind: 'direct',
    channelId,
    sequence: channel.directSent + 1,
    amount,
    directTotal: channel.own.direct + amount,
    reference,
  };
  const message = messageTo(state, channel.peer, body);
  if (!message) return noPeer(state, channel.peer);
  return decided({ kind: 'messages', messages: [message] }, { kind: 'directSent', channelId, amount, reference });
};

export const listChannels: Decider<'listChannels'> = (state) =>
  decided({ kind: 'channels', channels: [...state.channels.values()].map((channel) => viewChannel(state, channel)) });
