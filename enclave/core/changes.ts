/**
 * What can change in an enclave: the sealed log is a list of these, and replaying it gives the state back.
 * Deciding (who may ask what) is elsewhere; nothing here refuses. Deterministic: no clock, no randomness.
 */

import { composeExit, newChannel } from './channel.ts';
import { channelIdentityCodec } from './channel-identity.ts';
import {
  amount,
  bytes32Codec,
  channelIdCodec,
  fixed,
  identityCodec,
  list,
  oneOf,
  option,
  paymentIdCodec,
  struct,
  type TypeOf,
  uint64,
  union,
} from './codec.ts';
import { attestationPolicyCodec } from './credential.ts';
import type { Outcome } from './encoding.ts';
import type { Bytes32, ChannelId, PaymentId } from './ids.ts';
import {
  MAX_CHAIN_RESOLVED,
  MAX_INVOICES,
  MAX_LIMITS,
  MAX_ORDERS,
  MAX_PARTICIPANTS,
  MAX_PENDING_CONTRACT,
  MAX_TOMBSTONES,
} from './limits.ts';
import { invoiceCodec, orderCodec, ownerPolicyCodec } from './order.ts';
import { rejectReasonCodec } from './round-messages.ts';
import { charge, giveBack, liftedCodec, spendingLimitCodec } from './spending.ts';
import {
  type Channel,
  orderNonces,
  type Payment,
  paymentCodec,
  pendingOn,
  pinnedCodec,
  putOrder,
  putPayment,
  putPeer,
  type State,
  type Tombstone,
} from './state.ts';
import { introductionCodec } from './wire.ts';

const outcome = oneOf(['VOID', 'APPLIED']);
const nothing = struct({});
const onChannel = struct({ channelId: channelIdCodec });
const onPayment = struct({ paymentId: paymentIdCodec });

export const changeCodec = union({
  addressDerived: [1, nothing],
  introduced: [2, introductionCodec],
  policySet: [3, ownerPolicyCodec],
  attestationSet: [26, attestationPolicyCodec],
  limitsSet: [27, struct({ limits: list(spendingLimitCodec, MAX_LIMITS), pinDigest: option(fixed(32)) })],
  pinFailed: [28, nothing],
  limitLifted: [29, liftedCodec],
  /** Only the sealed clock moves: something was refused because of the time. */
  clockRead: [4, nothing],
  agreed: [
    5,
    struct({ channelId: channelIdCodec, channel: channelIdentityCodec, side: oneOf(['A', 'B']), peer: identityCodec }),
  ],
  agreedByPeer: [6, onChannel],
  depositConfirmed: [7, struct({ channelId: channelIdCodec, total: amount })],
  depositMissing: [8, onChannel],
  ownDepositConfirmed: [9, struct({ channelId: channelIdCodec, total: amount })],
  directSent: [10, struct({ channelId: channelIdCodec, amount, reference: bytes32Codec })],
  directReceived: [11, struct({ channelId: channelIdCodec, amount })],
  directAcknowledged: [12, struct({ channelId: channelIdCodec, sequence: uint64 })],
  ordered: [13, struct({ order: orderCodec })],
  orderCancelled: [14, struct({ orderId: bytes32Codec })],
  invoiced: [15, struct({ hash: bytes32Codec, invoice: invoiceCodec })],
  invoiceCancelled: [16, struct({ hash: bytes32Codec })],
  prepared: [17, paymentCodec],
  rejected: [
    18,
    struct({
      paymentId: paymentIdCodec,
      expiry: uint64,
      reason: rejectReasonCodec,
      others: list(pinnedCodec, MAX_PARTICIPANTS),
    }),
  ],
  updated: [19, onPayment],
  completed: [20, onPayment],
  aborted: [21, onPayment],
  /** A record was signed in PRE-UPDATE: no UPDATE any more. */
  frozen: [22, onPayment],
  exitSigned: [23, onChannel],
  resolved: [24, struct({ channelId: channelIdCodec, paymentId: paymentIdCodec, outcome })],
  settled: [
    25,
    struct({
      channelId: channelIdCodec,
      outcomes: list(struct({ paymentId: paymentIdCodec, outcome }), MAX_PENDING_CONTRACT),
    }),
  ],
});
export type Change = TypeOf<typeof changeCodec>;

/** Applies one change. @throws where the change does not fit the state: a programmer error, or a forged log. */
export function apply(state: State, change: Change): void {
  switch (change.kind) {
    case 'addressDerived':
      state.keyRing.deriveNext();
      return;
    case 'introduced':
      putPeer(state, { credential: change.credential, certificates: change.certificates });
      return;
    case 'policySet': {
      const { kind: _, ...policy } = change;
      state.policy = policy;
      return;
    }
    case 'attestationSet': {
      const { kind: _, ...attestation } = change;
      state.attestation = attestation;
      return;
    }
    case 'limitsSet':
      Object.assign(state.spending, {
        limits: change.limits,
        pinDigest: change.pinDigest,
        pinFailures: 0,
        lifted: null,
      });
      return;
    case 'pinFailed':
      state.spending.pinFailures++;
      return;
    case 'limitLifted': {
      const { kind: _, ...lifted } = change;
      Object.assign(state.spending, { lifted, pinFailures: 0 });
      return;
    }
    case 'clockRead':
      sweep(state, state.tombstones.size);
      return;
    case 'ordered':
      if (state.orders.size >= MAX_ORDERS) forgetOrders(state);
      charge(state, change.order.token, change.order.amount + change.order.maxFee);
      putOrder(state, { order: change.order, status: 'open', paymentId: null });
      return;
    case 'orderCancelled':
      giveBackOrder(state, change.orderId);
      forgetOrder(state, change.orderId);
      return;
    case 'invoiced':
      if (state.invoices.size >= MAX_INVOICES) forgetInvoices(state);
      state.invoices.set(change.hash, { hash: change.hash, invoice: change.invoice, status: 'open', paymentId: null });
      return;
    case 'invoiceCancelled':
      state.invoices.delete(change.hash);
      return;
    case 'prepared':
    case 'rejected':
    case 'updated':
    case 'completed':
    case 'aborted':
    case 'frozen':
      applyToPayment(state, change);
      return;
    default:
      applyToChannel(state, change);
  }
}

type PaymentChange = Extract<
  Change,
  { kind: 'prepared' | 'rejected' | 'updated' | 'completed' | 'aborted' | 'frozen' }
>;

function applyToPayment(state: State, change: PaymentChange): void {
  switch (change.kind) {
    case 'prepared': {
      const { kind: _, ...payment } = change;
      putPayment(state, payment);
      bind(state, payment, 'bound');
      return;
    }
    case 'rejected': {
      const { kind: _, ...tombstone } = change;
      bury(state, { ...tombstone, about: null });
      return;
    }
    case 'updated':
      mustPayment(state, change.paymentId).about.phase = 'POST-UPDATE';
      return;
    case 'frozen':
      mustPayment(state, change.paymentId).about.frozen = true;
      return;
    case 'completed': {
      const payment = mustPayment(state, change.paymentId);
      for (const transfer of payment.about.transfers) {
        if (transfer.resolved === null) addToRound(mustChannel(state, transfer.channelId), transfer);
      }
      finish(state, payment, 'DONE');
      bind(state, payment, 'paid');
      return;
    }
    case 'aborted': {
      const payment = mustPayment(state, change.paymentId);
      finish(state, payment, 'ABORTED');
      bind(
        state,
        payment,
        payment.about.transfers.some((transfer) => transfer.resolved === 'APPLIED') ? 'paid' : 'open',
      );
    }
  }
}

type ChannelChange = Exclude<
  Change,
  | PaymentChange
  | {
      kind:
        | 'addressDerived'
        | 'introduced'
        | 'policySet'
        | 'attestationSet'
        | 'limitsSet'
        | 'pinFailed'
        | 'limitLifted'
        | 'clockRead'
        | 'ordered'
        | 'orderCancelled'
        | 'invoiced'
        | 'invoiceCancelled';
    }
>;

function applyToChannel(state: State, change: ChannelChange): void {
  if (change.kind === 'agreed') {
    state.channels.set(change.channelId, newChannel(change));
    return;
  }
  const channel = mustChannel(state, change.channelId);
  switch (change.kind) {
    case 'agreedByPeer':
      channel.agreedByPeer = true;
      return;
    case 'depositConfirmed':
      channel.theirs.deposit = change.total;
      channel.suspended = false;
      return;
    case 'depositMissing':
      channel.suspended = true;
      return;
    case 'ownDepositConfirmed':
      channel.own.deposit = change.total;
      return;
    case 'directSent':
      charge(state, channel.channel.token, change.amount);
      channel.own.direct += change.amount;
      channel.directSent += 1;
      channel.directUnacknowledged.push({
        sequence: channel.directSent,
        amount: change.amount,
        directTotal: channel.own.direct,
        reference: change.reference,
      });
      return;
    case 'directReceived':
      channel.theirs.direct += change.amount;
      channel.directReceived += 1;
      return;
    case 'directAcknowledged':
      channel.directUnacknowledged = channel.directUnacknowledged.filter((direct) => direct.sequence > change.sequence);
      return;
    case 'exitSigned':
      channel.exit = composeExit(state, channel);
      for (const payment of pendingOn(state, channel.channelId)) {
        if (payment.about.phase === 'PRE-UPDATE') payment.about.frozen = true;
      }
      return;
    case 'resolved':
      resolve(state, channel, change);
      return;
    case 'settled':
      channel.settled = true;
      for (const each of change.outcomes) resolve(state, channel, each);
      return;
  }
}

function mustChannel(state: State, channelId: ChannelId): Channel {
  const channel = state.channels.get(channelId);
  if (!channel) throw new Error(`a change names channel ${channelId}, which is not kept`);
  return channel;
}

function mustPayment(state: State, paymentId: PaymentId): Payment {
  const payment = state.payments.get(paymentId);
  if (!payment) throw new Error(`a change names payment ${paymentId}, which is not pending`);
  return payment;
}

function addToRound(channel: Channel, transfer: { outgoing: boolean; amount: bigint }): void {
  const sums = transfer.outgoing ? channel.own : channel.theirs;
  sums.round += transfer.amount;
}

/** One transfer follows the outcome on chain; when it was the last one, the payment is over here. */
function resolve(state: State, channel: Channel, by: { paymentId: PaymentId; outcome: Outcome }): void {
  const payment = mustPayment(state, by.paymentId);
  const transfers = payment.about.transfers;
  const own = transfers.find((transfer) => transfer.channelId === channel.channelId);
  if (!own || own.resolved !== null) throw new Error('a change resolves a transfer that is not pending');
  own.resolved = by.outcome;
  payment.about.frozen = true;
  state.index.pendingOn.get(channel.channelId)?.delete(by.paymentId);
  if (by.outcome === 'APPLIED') {
    addToRound(channel, own);
    bind(state, payment, 'paid');
  }
  if (transfers.some((transfer) => transfer.resolved === null)) return;
  finish(state, payment, 'RESOLVED');
  if (transfers.every((transfer) => transfer.resolved === 'VOID')) bind(state, payment, 'open');
}

/** The order or invoice that allowed a payment: bound to it, free again, or consumed for good. */
function bind(state: State, payment: Payment, status: 'open' | 'bound' | 'paid'): void {
  const { role, orderId, invoice, paymentId } = payment.about;
  const allowed =
    role === 'payer' && orderId
      ? state.orders.get(orderId)
      : role === 'payee'
        ? state.invoices.get(invoice)
        : undefined;
  if (!allowed) return;
  allowed.status = status;
  allowed.paymentId = status === 'open' ? null : paymentId;
}

function finish(state: State, payment: Payment, phase: 'DONE' | 'ABORTED' | 'RESOLVED'): void {
  const { paymentId } = payment.about;
  payment.about.phase = phase;
  state.payments.delete(paymentId);
  for (const transfer of payment.about.transfers) state.index.pendingOn.get(transfer.channelId)?.delete(paymentId);
  const { others, about, terms } = payment;
  bury(state, { paymentId, expiry: terms.expiry, others, reason: null, about });
}

/**
 * Remembers a payment that is over (section 4, Clock). Ids of rejected, aborted and completed payments may go once the
 * sealed clock has passed their expiry; those that the chain resolved only by raising the watermark to their expiry.
 */
function bury(state: State, tombstone: Tombstone): void {
  if (tombstone.about?.phase !== 'RESOLVED') {
    sweep(state, 2);
    state.tombstones.set(tombstone.paymentId, tombstone);
    return;
  }
  if (state.resolved.size >= MAX_CHAIN_RESOLVED) {
    const oldest = [...state.resolved.values()].reduce((first, each) => (each.expiry < first.expiry ? each : first));
    state.watermark = Math.max(state.watermark, oldest.expiry);
    state.resolved.delete(oldest.paymentId);
  }
  state.resolved.set(tombstone.paymentId, tombstone);
}

/**
 * Looks at the `count` tombstones looked at longest ago and forgets those that have expired. Two a burial keep up with
 * any load and cost the same each time. Nothing is forgotten while there is plenty of room: late questions get answers.
 */
function sweep(state: State, count: number): void {
  if (state.tombstones.size < MAX_TOMBSTONES / 8) return;
  let left = count;
  for (const [paymentId, tombstone] of state.tombstones) {
    if (left-- === 0) return;
    state.tombstones.delete(paymentId);
    if (tombstone.expiry >= state.clock) state.tombstones.set(paymentId, tombstone);
  }
}

/** Orders and invoices may go when they have expired and no payment is bound to them. */
function forgetOrders(state: State): void {
  for (const { order, status } of [...state.orders.values()]) {
    if (status !== 'bound' && order.expiry < state.clock) forgetOrder(state, order.orderId);
  }
}

function giveBackOrder(state: State, orderId: Bytes32): void {
  const order = state.orders.get(orderId)?.order;
  if (order) giveBack(state, order.token, order.amount + order.maxFee);
}

function forgetOrder(state: State, orderId: Bytes32): void {
  for (const nonce of orderNonces(orderId)) state.index.orderByNonce.delete(nonce);
  state.orders.delete(orderId);
}

function forgetInvoices(state: State): void {
  for (const { hash, invoice, status } of [...state.invoices.values()]) {
    if (status !== 'bound' && invoice.expiry < state.clock) state.invoices.delete(hash);
  }
}
