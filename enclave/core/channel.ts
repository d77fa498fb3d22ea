/** Sums of a channel (PROTOCOL.md section 3): balances, what is pending, what can be spent, its exit. */

import type { Side } from './channel-identity.ts';
import { partyOf } from './channel-identity.ts';
import { exitDigest, hashTransfer, merkleProof } from './encoding.ts';
import type { ChannelId, Hex } from './ids.ts';
import type { ChannelView, SignedExit } from './interface.ts';
import { sign } from './keys.ts';
import { MAX_AMOUNT } from './limits.ts';
import { type Channel, type Payment, pendingOn, type State, type Sums } from './state.ts';

/** A channel that was just agreed to here. */
export function newChannel(agreed: Pick<Channel, 'channelId' | 'channel' | 'side' | 'peer'>): Channel {
  const { channelId, channel, side, peer } = agreed;
  return {
    channelId,
    channel,
    side,
    peer,
    agreedByPeer: false,
    own: { deposit: 0n, direct: 0n, round: 0n },
    theirs: { deposit: 0n, direct: 0n, round: 0n },
    suspended: false,
    directSent: 0,
    directReceived: 0,
    directUnacknowledged: [],
    exit: null,
    settled: false,
  };
}

export const sentBy = (sums: Sums): bigint => sums.direct + sums.round;

export const ownBalance = (channel: Channel): bigint =>
  channel.own.deposit - sentBy(channel.own) + sentBy(channel.theirs);
export const peerBalance = (channel: Channel): bigint =>
  channel.theirs.deposit - sentBy(channel.theirs) + sentBy(channel.own);

interface PendingSums {
  out: bigint;
  in: bigint;
  /** Incoming transfers in POST-UPDATE: the peer may have them final already. */
  inPost: bigint;
  count: number;
}

export function pendingSums(state: State, channelId: ChannelId): PendingSums {
  const sums = { out: 0n, in: 0n, inPost: 0n, count: 0 };
  for (const payment of pendingOn(state, channelId)) {
    for (const transfer of payment.about.transfers) {
      if (transfer.channelId !== channelId || transfer.resolved !== null) continue;
      sums.count++;
      if (transfer.outgoing) sums.out += transfer.amount;
      else sums.in += transfer.amount;
      if (!transfer.outgoing && payment.about.phase === 'POST-UPDATE') sums.inPost += transfer.amount;
    }
  }
  return sums;
}

/** What the owner can spend now: the sum of all that is pending outwards is locked, not the largest of it. */
export function spendable(state: State, channel: Channel): bigint {
  const free = ownBalance(channel) - pendingSums(state, channel.channelId).out;
  return free > 0n ? free : 0n;
}

/** True where `more` (with all that is pending the same way) would take a cumulative counter past uint128. */
export const wouldOverflow = (sums: Sums, more: bigint): boolean => sentBy(sums) + more > MAX_AMOUNT;

export function viewChannel(state: State, channel: Channel): ChannelView {
  const pending = pendingSums(state, channel.channelId);
  return {
    channelId: channel.channelId,
    channel: channel.channel,
    side: channel.side,
    peer: channel.peer,
    agreed: channel.agreedByPeer,
    ownDeposit: channel.own.deposit,
    peerDeposit: channel.theirs.deposit,
    ownBalance: ownBalance(channel),
    // The peer may have spent what is still in POST-UPDATE here: for that moment its balance looks negative from here.
    peerBalance: peerBalance(channel) > 0n ? peerBalance(channel) : 0n,
    spendable: spendable(state, channel),
    pendingOut: pending.out,
    pendingIn: pending.in,
    pendingCount: pending.count,
    directUnacknowledged: channel.directUnacknowledged.length,
    suspended: channel.suspended,
    exitSigned: channel.exit !== null,
    settled: channel.settled,
  };
}

/** Payment parts of one own transfer, with the Merkle path that shows it to the contract. */
export function pendingParts(payment: Payment, channelId: ChannelId, side: Side) {
  const { terms, about } = payment;
  const leaves = terms.transfers.map(hashTransfer);
  const position = terms.transfers.findIndex((transfer) => transfer.channelId === channelId);
  const own = about.transfers.find((transfer) => transfer.channelId === channelId);
  if (position < 0 || !own) throw new Error('a payment is listed under a channel that it does not cross');
  return {
    paymentId: about.paymentId,
    nonce: terms.nonce,
    invoice: terms.invoice,
    expiry: terms.expiry,
    proof: merkleProof(leaves, position),
    amount: own.amount,
    fromA: own.outgoing === (side === 'A'),
  };
}

/** The exit of a channel as of now (section 5): sums without anything pending, and every pending payment with its phase. */
export function composeExit(state: State, channel: Channel): SignedExit {
  const { channelId, side } = channel;
  const pending = [...pendingOn(state, channelId)]
    .map((payment) => ({
      ...pendingParts(payment, channelId, side),
      phase: payment.about.phase === 'POST-UPDATE' ? ('POST-UPDATE' as const) : ('PRE-UPDATE' as const),
    }))
    .sort((left, right) => (left.paymentId < right.paymentId ? -1 : 1));
  const [own, theirs] = [sentBy(channel.own), sentBy(channel.theirs)];
  const [sentA, sentB] = side === 'A' ? [own, theirs] : [theirs, own];
  const terms = { channelId, sentA, sentB, stale: false, pending };
  return { ...terms, channel: channel.channel, signature: signExit(state, channel, terms) };
}

function signExit(state: State, channel: Channel, terms: Parameters<typeof exitDigest>[1]): Hex {
  const key = state.keyRing.partyKey(partyOf(channel.channel, channel.side));
  if (!key) throw new Error('a channel is kept whose party address is not derived here');
  return sign(exitDigest(state.deployment.domain, terms), key);
}
