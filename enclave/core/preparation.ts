/**
 * PREPARE and CANCEL of a payment that this enclave does not know yet (PROTOCOL.md section 4, steps prepare and cancel).
 *
 * Order of the questions: can it be judged at all (else an error without evidence); is there a reason to reject for good
 * (then REJECT, with a tombstone); only then HELD and NEED_PRE, which leave nothing behind. So a hub can always abort
 * what not everybody prepared.
 */

import { whyNotUsable } from './agreement.ts';
import { type Allowance, findAllowance, NetEffects } from './allowance.ts';
import { pendingSums, spendable, wouldOverflow } from './channel.ts';
import { otherSide, partyOf } from './channel-identity.ts';
import type { Decision } from './decision.ts';
import { equalBytes } from './hash.ts';
import type { Address, Identity, PaymentId } from './ids.ts';
import { MAX_HORIZON_S, MAX_TOMBSTONES } from './limits.ts';
import type { PairPeer } from './pair.ts';
import type { PaymentTerms, Transfer } from './payment-terms.ts';
import { answered, answeredAbout, expectedEvidence, failed, preparedAnswer, rejectedAnswer } from './round-answers.ts';
import type { RejectReason, Step } from './round-messages.ts';
import { acceptedPeer } from './self.ts';
import { type Channel, ownerOf, type Payment, type State } from './state.ts';

interface Judged {
  paymentId: PaymentId;
  terms: PaymentTerms;
  /** All participants but this one, under their present keys, ascending by identity. */
  others: PairPeer[];
  nets: NetEffects;
}

export function prepare(state: State, step: Extract<Step, { kind: 'prepare' }>, paymentId: PaymentId): Decision {
  const judged = judge(state, step, paymentId);
  if ('result' in judged) return judged;
  const found = whyReject(state, judged);
  if (typeof found === 'string') return reject(state, judged, found);
  const held = judged.terms.transfers.find((transfer) => isOutgoing(state, transfer) && isShort(state, transfer));
  if (held) return answered({ kind: 'held', paymentId, channelId: held.channelId });
  if (state.policy.prepareLast) {
    if (!step.preEvidence) return answered({ kind: 'needPre', paymentId });
    if (!equalBytes(step.preEvidence, expectedEvidence(state, judged.others, { tag: 'PRE', paymentId }))) {
      return failed(
        paymentId,
        'WRONG_EVIDENCE',
        'The PRE evidence is not that of all other participants; collect it again.',
      );
    }
  }
  const payment = composePayment(state, judged, found);
  return answeredAbout(payment, () => preparedAnswer(state, payment), { kind: 'prepared', ...payment });
}

/** Answers REJECT for a payment that was never prepared here. */
export function cancel(state: State, step: Extract<Step, { kind: 'cancel' }>, paymentId: PaymentId): Decision {
  const judged = judge(state, step, paymentId);
  return 'result' in judged ? judged : reject(state, judged, 'CANCELLED');
}

function reject(state: State, judged: Judged, reason: RejectReason): Decision {
  const { paymentId, terms, others } = judged;
  const answer = rejectedAnswer(state, { paymentId, others, reason });
  // An expired payment needs no tombstone, because the sealed clock never goes back.
  if (terms.expiry < state.clock) return answered(answer, { kind: 'clockRead' });
  return answered(answer, { kind: 'rejected', paymentId, expiry: terms.expiry, reason, others });
}

/** Everything that makes a payment impossible to judge is an error without evidence: PRE binds, and so would REJECT. */
function judge(
  state: State,
  step: { terms: PaymentTerms; participants: Identity[] },
  paymentId: PaymentId,
): Judged | Decision {
  const { terms, participants } = step;
  const malformed = whyMalformed(terms, participants);
  if (malformed) return failed(paymentId, 'MALFORMED_PAYMENT', malformed);
  const self = state.keyRing.identity;
  const unknown = participants.filter((each) => each !== self && !state.peers.has(each));
  const owners = new Map(
    terms.transfers.flatMap(({ payer, payee }) => [payer, payee]).map((party) => [party, ownerOf(state, party)]),
  );
  const strangers = [...owners].filter(([, owner]) => owner === null).map(([party]) => party);
  if (unknown.length + strangers.length > 0) {
    const [first] = [...unknown, ...strangers];
    return failed(
      paymentId,
      'UNKNOWN_PARTICIPANT',
      `No credential is known for ${first ?? ''}; introduce it, then ask again.`,
    );
  }
  const named = new Set(owners.values());
  if (named.size !== participants.length || !participants.every((each) => named.has(each)) || !named.has(self)) {
    return failed(
      paymentId,
      'MALFORMED_PAYMENT',
      'The participants are not those whose addresses occur in the transfers.',
    );
  }
  if (terms.expiry > state.clock + MAX_HORIZON_S) {
    return failed(
      paymentId,
      'BEYOND_HORIZON',
      `The payment expires more than ${MAX_HORIZON_S} s ahead; use an earlier expiry.`,
    );
  }
  // Also where it has not expired: an id that the chain ended may be gone, and PRE may have been issued under it.
  if (terms.expiry <= state.watermark) {
    return failed(
      paymentId,
      'FORGOTTEN',
      'Payments of this expiry may have been forgotten here; look at the chain, or use a later expiry.',
    );
  }
  if (state.tombstones.size + state.payments.size >= MAX_TOMBSTONES) {
    const full = failed(
      paymentId,
      'TOMBSTONES_FULL',
      'Too many payments ended lately; ask again when they have expired.',
    );
    return { ...full, changes: [{ kind: 'clockRead' }] };
  }
  const others = participants.filter((each) => each !== self).map((each) => currentKey(state, each));
  const nets = new NetEffects(terms, (party: Address) => owners.get(party) ?? self);
  return { paymentId, terms, others, nets };
}

function whyMalformed(terms: PaymentTerms, participants: Identity[]): string | null {
  const { transfers } = terms;
  if (transfers.length === 0) return 'A payment needs at least one transfer.';
  for (const [index, transfer] of transfers.entries()) {
    const before = transfers[index - 1];
    if (before && before.channelId >= transfer.channelId) return 'Transfers must ascend strictly by channel id.';
    if (transfer.payer === transfer.payee) return 'A transfer needs two parties.';
    if (transfer.amount < 1n) return 'A transfer of nothing.';
  }
  const ascending = participants.every((each, index) => index === 0 || (participants[index - 1] ?? '') < each);
  return ascending ? null : 'Participants must ascend strictly by identity.';
}

function currentKey(state: State, identity: Identity): PairPeer {
  const known = state.peers.get(identity);
  if (!known) throw new Error('a participant without credential was let through');
  return { identity, exchangeKey: known.credential.exchangeKey };
}

const isOutgoing = (state: State, transfer: Transfer): boolean => state.keyRing.partyKey(transfer.payer) !== null;
const isIncoming = (state: State, transfer: Transfer): boolean => state.keyRing.partyKey(transfer.payee) !== null;

function whyReject(state: State, judged: Judged): Allowance | RejectReason {
  const { terms, others, nets } = judged;
  if (terms.expiry < state.clock) return 'EXPIRED';
  if (others.some((other) => acceptedPeer(state, other.identity) === null)) return 'PARTICIPANT_REFUSED';
  for (const transfer of terms.transfers) {
    const reason = whyRejectTransfer(state, transfer);
    if (reason) return reason;
  }
  return findAllowance(state, terms, nets);
}

function whyRejectTransfer(state: State, transfer: Transfer): RejectReason | null {
  const outgoing = isOutgoing(state, transfer);
  const channel = state.channels.get(transfer.channelId);
  if (!outgoing && !isIncoming(state, transfer)) return channel ? 'WRONG_PARTY' : null;
  if (!channel) return 'UNKNOWN_CHANNEL';
  if (!isBetweenParties(state, channel, transfer)) return 'WRONG_PARTY';
  if (transfer.token !== channel.channel.token) return 'WRONG_TOKEN';
  const unusable = whyNotUsable(channel)?.code;
  if (unusable)
    return unusable === 'CHANNEL_SUSPENDED'
      ? 'CHANNEL_SUSPENDED'
      : unusable === 'NOT_AGREED'
        ? 'UNKNOWN_CHANNEL'
        : 'CHANNEL_CLOSING';
  const pending = pendingSums(state, channel.channelId);
  if (pending.count >= state.policy.maxPending) return 'TOO_MANY_PENDING';
  const [sums, waiting] = outgoing ? [channel.own, pending.out] : [channel.theirs, pending.in];
  if (wouldOverflow(sums, waiting + transfer.amount)) return 'COUNTER_OVERFLOW';
  if (outgoing && transfer.amount > spendable(state, channel) + pending.inPost) return 'NOT_ENOUGH_BALANCE';
  return null;
}

function isBetweenParties(state: State, channel: Channel, transfer: Transfer): boolean {
  const own = partyOf(channel.channel, channel.side);
  const theirs = partyOf(channel.channel, otherSide(channel.side));
  const [payer, payee] = isOutgoing(state, transfer) ? [own, theirs] : [theirs, own];
  return transfer.payer === payer && transfer.payee === payee && ownerOf(state, theirs) === channel.peer;
}

/** Short only by what is in POST-UPDATE here, which the peer may have final already (section 4, Many at once). */
function isShort(state: State, transfer: Transfer): boolean {
  const channel = state.channels.get(transfer.channelId);
  return channel !== undefined && transfer.amount > spendable(state, channel);
}

function composePayment(state: State, judged: Judged, allowance: Allowance): Payment {
  const { paymentId, terms, others } = judged;
  const own = terms.transfers.filter((transfer) => isOutgoing(state, transfer) || isIncoming(state, transfer));
  const about = {
    ...allowance,
    paymentId,
    phase: 'PRE-UPDATE' as const,
    expiry: terms.expiry,
    participants: [state.keyRing.identity, ...others.map((other) => other.identity)].sort(),
    frozen: false,
    transfers: own.map((transfer) => ({
      channelId: transfer.channelId,
      outgoing: isOutgoing(state, transfer),
      amount: transfer.amount,
      resolved: null,
    })),
  };
  return { terms, others, about };
}
