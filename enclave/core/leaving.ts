/** Records, exits, consents and what the chain settled (PROTOCOL.md section 5). */

import { messageTo, noPeer, unknownChannel } from './agreement.ts';
import type { Change } from './changes.ts';
import { composeExit, newChannel, pendingParts, pendingSums } from './channel.ts';
import { otherSide, partyOf, type Side } from './channel-identity.ts';
import { type Decider, type Decision, decided, refused } from './decision.ts';
import { hashChannelIdentity, type Outcome, recordDigest } from './encoding.ts';
import type { Identity, PaymentId } from './ids.ts';
import { sign } from './keys.ts';
import { MAX_CHANNELS, MAX_PENDING_CONTRACT } from './limits.ts';
import { type Channel, ownerOf, pendingOn, type State } from './state.ts';

const unknownPayment = (paymentId: PaymentId): Decision =>
  refused('UNKNOWN_PAYMENT', `No payment ${paymentId} is pending here; it is over or was never prepared.`);

/** Signs VOID in PRE-UPDATE, and never takes UPDATE after; APPLIED in POST-UPDATE. */
export const record: Decider<'record'> = (state, command) => {
  const { paymentId } = command;
  const payment = state.payments.get(paymentId);
  if (!payment) return unknownPayment(paymentId);
  const transfer = payment.about.transfers.find((each) => each.resolved === null);
  const channel = transfer && state.channels.get(transfer.channelId);
  if (!channel) return unknownPayment(paymentId);
  const outcome: Outcome = payment.about.phase === 'POST-UPDATE' ? 'APPLIED' : 'VOID';
  const key = state.keyRing.partyKey(partyOf(channel.channel, channel.side));
  if (!key) throw new Error('a channel is kept whose party address is not derived here');
  const { channelId } = channel;
  const signature = sign(recordDigest(state.deployment.domain, { channelId, paymentId, outcome }), key);
  const parts = pendingParts(payment, channelId, channel.side);
  const changes: Change[] = outcome === 'VOID' && !payment.about.frozen ? [{ kind: 'frozen', paymentId }] : [];
  return decided({ kind: 'record', record: { ...parts, channel: channel.channel, outcome, signature } }, ...changes);
};

/** One exit per channel for ever: asked again, identical bytes. */
export const exit: Decider<'exit'> = (state, command) => {
  const { channel: identity } = command;
  const channelId = hashChannelIdentity(state.deployment.domain, identity);
  const known = state.channels.get(channelId);
  if (known) return signExit(state, known);
  const side: Side = state.keyRing.partyKey(identity.partyA) ? 'A' : 'B';
  if (!state.keyRing.partyKey(partyOf(identity, side))) {
    return refused('WRONG_PARTY', 'Neither party of this channel is an address of this terminal.');
  }
  if (state.channels.size >= MAX_CHANNELS)
    return refused('TOO_MANY_CHANNELS', `${MAX_CHANNELS} channels are kept already.`);
  const stranger = partyOf(identity, otherSide(side));
  const peer = ownerOf(state, stranger) ?? (stranger as Identity);
  const agreed = { channelId, channel: identity, side, peer };
  const result = { kind: 'exit' as const, exit: composeExit(state, newChannel(agreed)) };
  return decided(result, { kind: 'agreed', ...agreed }, { kind: 'exitSigned', channelId });
};

export const close: Decider<'close'> = (state, command) => {
  const channel = state.channels.get(command.channelId);
  if (!channel) return unknownChannel(command.channelId);
  const { count } = pendingSums(state, channel.channelId);
  if (!channel.exit && count > 0) {
    return refused(
      'PAYMENTS_PENDING',
      `${count} payments are under way on this channel; wait for them, or leave by ejecting.`,
    );
  }
  return signExit(state, channel);
};

function signExit(state: State, channel: Channel): Decision {
  if (channel.exit) return decided({ kind: 'exit', exit: channel.exit });
  if (channel.settled)
    return refused('CHANNEL_SETTLED', 'This channel is settled on chain; withdraw the credit instead.');
  if (pendingSums(state, channel.channelId).count > MAX_PENDING_CONTRACT) {
    return refused('TOO_MANY_PENDING', `The contract settles ${MAX_PENDING_CONTRACT} pending payments at once.`);
  }
  const { channelId } = channel;
  return decided({ kind: 'exit', exit: composeExit(state, channel) }, { kind: 'exitSigned', channelId });
}

/** The host has read an outcome from the chain; only the side that loses by a lie is asked (section 5, Without leaving). */
export const consent: Decider<'consent'> = (state, command) => {
  const { channelId, paymentId, outcome } = command;
  const channel = state.channels.get(channelId);
  if (!channel) return unknownChannel(channelId);
  const about = (state.payments.get(paymentId) ?? state.resolved.get(paymentId))?.about;
  const transfer = about?.transfers.find((each) => each.channelId === channelId);
  if (!transfer) return unknownPayment(paymentId);
  if (channel.exit || channel.settled)
    return refused('CHANNEL_CLOSING', 'Nothing is consented on a channel that is being closed.');
  if (transfer.outgoing !== (outcome === 'APPLIED')) {
    return refused(
      'WRONG_CONSENT',
      'VOID needs the consent of the payee, APPLIED that of the payer: the peer is asked.',
    );
  }
  if (transfer.resolved !== null && transfer.resolved !== outcome) {
    return refused('RESOLVED_OTHERWISE', `This transfer is resolved as ${transfer.resolved} already.`);
  }
  const message = messageTo(state, channel.peer, { kind: 'consent', channelId, paymentId, outcome });
  if (!message) return noPeer(state, channel.peer);
  const result = { kind: 'messages' as const, messages: [message] };
  return transfer.resolved === null
    ? decided(result, { kind: 'resolved', channelId, paymentId, outcome })
    : decided(result);
};

/** The channel is settled: nothing more is signed for it, and what was pending there follows the contract. */
export const settled: Decider<'settled'> = (state, command) => {
  const { channelId, outcomes } = command;
  const channel = state.channels.get(channelId);
  if (!channel) return unknownChannel(channelId);
  if (channel.settled) return decided({ kind: 'ok' });
  const known = new Map(outcomes.map((each) => [each.paymentId, each]));
  const needed = [...pendingOn(state, channelId)].map((payment) => known.get(payment.about.paymentId));
  const complete = needed.filter((each) => each !== undefined);
  if (complete.length !== needed.length) {
    return refused(
      'OUTCOME_MISSING',
      'Payments are pending on this channel whose outcome was not given; read it from the contract.',
    );
  }
  return decided({ kind: 'ok' }, { kind: 'settled', channelId, outcomes: complete });
};
