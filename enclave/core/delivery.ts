/** Messages from other enclaves: agreements, confirmations, direct payments, consents (PROTOCOL.md sections 3 and 5). */

import { messageTo, noPeer, whyNotUsable } from './agreement.ts';
import type { Change } from './changes.ts';
import { pendingSums, wouldOverflow } from './channel.ts';
import { decode, MalformedBytes } from './codec.ts';
import { type Decider, type Decision, decided, refused } from './decision.ts';
import type { Notice } from './interface.ts';
import { MAX_AMOUNT } from './limits.ts';
import { isAuthentic, type PairBody, type PairMessage, pairMessageCodec } from './pair.ts';
import { acceptedPeer } from './self.ts';
import type { Channel, State } from './state.ts';

type Body<K extends PairBody['kind']> = Extract<PairBody, { kind: K }>;

const delivered = (notice: Notice | null, ...changes: Change[]): Decision =>
  decided({ kind: 'delivered', replies: [], notice }, ...changes);

export const deliver: Decider<'deliver'> = (state, command) => {
  const message = parse(command.message);
  if (!message) return refused('MALFORMED', 'These bytes are no message between enclaves; drop them.');
  const { sender, receiver, body } = message;
  if (receiver !== state.keyRing.identity) {
    return refused('WRONG_RECEIVER', `The message is for ${receiver}; this terminal is ${state.keyRing.identity}.`);
  }
  const peer = acceptedPeer(state, sender);
  if (!peer) return noPeer(state, sender);
  if (!isAuthentic(state.keyRing.pairKey(peer), message)) {
    return refused('FORGED_MESSAGE', `The message does not come from the enclave of ${sender}; drop it.`);
  }
  const channel = state.channels.get(body.channelId);
  if (!channel || channel.peer !== sender) {
    return refused(
      'UNKNOWN_CHANNEL',
      `No channel ${body.channelId} with ${sender} was agreed here; agree to it first.`,
    );
  }
  switch (body.kind) {
    case 'agree':
      return channel.agreedByPeer
        ? delivered(null)
        : delivered({ kind: 'agreed', channelId: body.channelId }, { kind: 'agreedByPeer', channelId: body.channelId });
    case 'confirm':
      return takeConfirmation(channel, body);
    case 'direct':
      return takeDirect(state, channel, body);
    case 'directAck':
      return takeAcknowledgement(channel, body);
    case 'consent':
      return takeConsent(state, channel, body);
  }
};

function parse(bytes: Uint8Array): PairMessage | null {
  try {
    return decode(pairMessageCodec, bytes);
  } catch (cause) {
    if (cause instanceof MalformedBytes) return null;
    throw cause;
  }
}

function takeConfirmation(channel: Channel, body: Body<'confirm'>): Decision {
  const { channelId, side, total } = body;
  if (side !== channel.side) return refused('WRONG_SIDE', 'A peer confirms the deposit of the other side only.');
  if (total <= channel.own.deposit) return delivered(null);
  if (total + channel.theirs.deposit > MAX_AMOUNT) {
    return refused('AMOUNT_OUT_OF_RANGE', 'The deposits of a channel together stay below 2^128.');
  }
  return delivered({ kind: 'confirmed', channelId, total }, { kind: 'ownDepositConfirmed', channelId, total });
}

/** Strictly in sequence; what is known already is acknowledged again (section 3, Direct payment). */
function takeDirect(state: State, channel: Channel, body: Body<'direct'>): Decision {
  const { channelId, sequence, amount, directTotal, reference } = body;
  const reply = messageTo(state, channel.peer, { kind: 'directAck', channelId, sequence });
  if (!reply) return noPeer(state, channel.peer);
  const replies = [reply];
  if (sequence <= channel.directReceived) return decided({ kind: 'delivered', replies, notice: null });
  const wrong = whyNotUsable(channel);
  if (wrong && wrong.code !== 'CHANNEL_SUSPENDED') return refused(wrong.code, wrong.message);
  if (sequence !== channel.directReceived + 1 || directTotal !== channel.theirs.direct + amount || amount < 1n) {
    return refused(
      'OUT_OF_ORDER',
      `Direct payment ${channel.directReceived + 1} comes next; ask the peer to send it again.`,
    );
  }
  if (wouldOverflow(channel.theirs, pendingSums(state, channelId).in + amount))
    return refused('AMOUNT_OUT_OF_RANGE', 'A counter would pass 2^128.');
  const notice: Notice = { kind: 'directReceived', channelId, sequence, amount, reference };
  return decided({ kind: 'delivered', replies, notice }, { kind: 'directReceived', channelId, amount });
}

function takeAcknowledgement(channel: Channel, body: Body<'directAck'>): Decision {
  const { channelId, sequence } = body;
  if (!channel.directUnacknowledged.some((direct) => direct.sequence <= sequence)) return delivered(null);
  return delivered(
    { kind: 'directAcknowledged', channelId, sequence },
    { kind: 'directAcknowledged', channelId, sequence },
  );
}

/** The peer, who alone could lose by it, takes the recorded outcome as final here: so does this side (section 5). */
function takeConsent(state: State, channel: Channel, body: Body<'consent'>): Decision {
  const { channelId, paymentId, outcome } = body;
  const transfer = state.payments.get(paymentId)?.about.transfers.find((each) => each.channelId === channelId);
  if (!transfer || transfer.resolved !== null || channel.exit || channel.settled) return delivered(null);
  if (transfer.outgoing !== (outcome === 'VOID')) {
    return refused('WRONG_CONSENT', 'VOID needs the consent of the payee, APPLIED that of the payer.');
  }
  return delivered(
    { kind: 'resolved', channelId, paymentId, outcome },
    { kind: 'resolved', channelId, paymentId, outcome },
  );
}
