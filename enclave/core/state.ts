/**
 * Everything an enclave knows, as one structure with one encoding (its sealed snapshot).
 * Only `apply` (changes.ts) writes to it; indexes are derived and never sealed.
 */

import { channelIdentityCodec } from './channel-identity.ts';
import {
  addressCodec,
  amount,
  bool,
  bytes32Codec,
  channelIdCodec,
  decode,
  encode,
  fixed,
  identityCodec,
  list,
  oneOf,
  option,
  paymentIdCodec,
  struct,
  type TypeOf,
  uint32,
  uint64,
  uint64big,
} from './codec.ts';
import { attestationPolicyCodec, type Credential, type Deployment, whyRefused } from './credential.ts';
import { domainSeparator } from './encoding.ts';
import type { Address, Bytes16, Bytes32, ChannelId, Identity, PaymentId } from './ids.ts';
import { paymentViewCodec, signedExitCodec } from './interface.ts';
import { KeyRing } from './key-ring.ts';
import {
  MAX_ATTEMPTS,
  MAX_CHAIN_RESOLVED,
  MAX_CHANNELS,
  MAX_DIRECT_UNACKNOWLEDGED,
  MAX_INVOICES,
  MAX_ORDERS,
  MAX_PARTICIPANTS,
  MAX_PEERS,
  MAX_PENDING_CONTRACT,
  MAX_TOMBSTONES,
} from './limits.ts';
import { invoiceCodec, orderCodec, orderNonce, ownerPolicyCodec } from './order.ts';
import { paymentTermsCodec } from './payment-terms.ts';
import { rejectReasonCodec } from './round-messages.ts';
import { noLimits, spendingCodec } from './spending.ts';
import { introductionCodec } from './wire.ts';

/** One side's cumulative sums (section 3): sent = direct + round. */
const sumsCodec = struct({ deposit: amount, direct: amount, round: amount });
export type Sums = TypeOf<typeof sumsCodec>;

export const directCodec = struct({ sequence: uint64, amount, directTotal: amount, reference: bytes32Codec });

const channelCodec = struct({
  channelId: channelIdCodec,
  channel: channelIdentityCodec,
  /** This terminal's side. */
  side: oneOf(['A', 'B']),
  peer: identityCodec,
  agreedByPeer: bool,
  /** `own.deposit` counts what the peer's enclave confirmed, `theirs.deposit` what this one did. */
  own: sumsCodec,
  theirs: sumsCodec,
  suspended: bool,
  directSent: uint64,
  directReceived: uint64,
  directUnacknowledged: list(directCodec, MAX_DIRECT_UNACKNOWLEDGED),
  /** The exit that was signed: no other is ever signed for this channel. */
  exit: option(signedExitCodec),
  settled: bool,
});
export type Channel = TypeOf<typeof channelCodec>;

/** A participant under the key accepted when the payment was prepared (section 9, pinning). */
export const pinnedCodec = struct({ identity: identityCodec, exchangeKey: bytes32Codec });
const pinnedList = list(pinnedCodec, MAX_PARTICIPANTS);

/** A payment in PRE-UPDATE or POST-UPDATE; `about.transfers` are this terminal's own. */
export const paymentCodec = struct({ terms: paymentTermsCodec, others: pinnedList, about: paymentViewCodec });
export type Payment = TypeOf<typeof paymentCodec>;

/** A payment that is over here. `about` is null where this terminal rejected it. */
const tombstoneCodec = struct({
  paymentId: paymentIdCodec,
  expiry: uint64,
  others: pinnedList,
  reason: option(rejectReasonCodec),
  about: option(paymentViewCodec),
});
export type Tombstone = TypeOf<typeof tombstoneCodec>;

const status = oneOf(['open', 'bound', 'paid']);
const orderStateCodec = struct({ order: orderCodec, status, paymentId: option(paymentIdCodec) });
export type OrderState = TypeOf<typeof orderStateCodec>;
const invoiceStateCodec = struct({
  hash: bytes32Codec,
  invoice: invoiceCodec,
  status,
  paymentId: option(paymentIdCodec),
});
export type InvoiceState = TypeOf<typeof invoiceStateCodec>;

export const foundationCodec = struct({
  seed: fixed(32),
  chainId: uint64big,
  contract: addressCodec,
  releaseAuthority: option(addressCodec),
});
export type Foundation = TypeOf<typeof foundationCodec>;

const snapshotCodec = struct({
  foundation: foundationCodec,
  policy: ownerPolicyCodec,
  attestation: attestationPolicyCodec,
  spending: spendingCodec,
  clock: uint64,
  watermark: uint64,
  /** Party keys derived so far, the identity included. */
  keys: uint32,
  peers: list(introductionCodec, MAX_PEERS),
  channels: list(channelCodec, MAX_CHANNELS),
  payments: list(paymentCodec, MAX_CHANNELS * MAX_PENDING_CONTRACT),
  tombstones: list(tombstoneCodec, MAX_TOMBSTONES),
  resolved: list(tombstoneCodec, MAX_CHAIN_RESOLVED),
  orders: list(orderStateCodec, MAX_ORDERS),
  invoices: list(invoiceStateCodec, MAX_INVOICES),
});
type Snapshot = TypeOf<typeof snapshotCodec>;

export interface State {
  readonly foundation: Foundation;
  readonly deployment: Deployment;
  readonly keyRing: KeyRing;
  policy: Snapshot['policy'];
  attestation: Snapshot['attestation'];
  spending: Snapshot['spending'];
  /** Unix seconds; never goes back. */
  clock: number;
  /** Expired payments up to here may have been forgotten although the chain, not a round, ended them. */
  watermark: number;
  readonly peers: Map<Identity, Snapshot['peers'][number]>;
  readonly channels: Map<ChannelId, Channel>;
  readonly payments: Map<PaymentId, Payment>;
  /** Rejected, aborted and completed payments. */
  readonly tombstones: Map<PaymentId, Tombstone>;
  /** Payments that the chain ended here. */
  readonly resolved: Map<PaymentId, Tombstone>;
  readonly orders: Map<Bytes32, OrderState>;
  readonly invoices: Map<Bytes32, InvoiceState>;
  readonly index: {
    readonly addressOwner: Map<Address, Identity>;
    readonly orderByNonce: Map<Bytes16, Bytes32>;
    readonly pendingOn: Map<ChannelId, Set<PaymentId>>;
  };
}

export function newState(foundation: Foundation, wishes: Pick<Snapshot, 'policy' | 'attestation'>): State {
  const { chainId, contract, seed } = foundation;
  const deployment = { chainId, contract, domain: domainSeparator(chainId, contract) };
  return {
    foundation,
    deployment,
    keyRing: new KeyRing(seed, deployment.domain),
    policy: wishes.policy,
    attestation: wishes.attestation,
    spending: noLimits(),
    clock: 0,
    watermark: 0,
    peers: new Map(),
    channels: new Map(),
    payments: new Map(),
    tombstones: new Map(),
    resolved: new Map(),
    orders: new Map(),
    invoices: new Map(),
    index: { addressOwner: new Map(), orderByNonce: new Map(), pendingOn: new Map() },
  };
}

export function encodeState(state: State): Uint8Array {
  return encode(snapshotCodec, {
    foundation: state.foundation,
    policy: state.policy,
    attestation: state.attestation,
    spending: state.spending,
    clock: state.clock,
    watermark: state.watermark,
    keys: state.keyRing.partyCount,
    peers: [...state.peers.values()],
    channels: [...state.channels.values()],
    payments: [...state.payments.values()],
    tombstones: [...state.tombstones.values()],
    resolved: [...state.resolved.values()],
    orders: [...state.orders.values()],
    invoices: [...state.invoices.values()],
  });
}

export function decodeState(bytes: Uint8Array): State {
  const snapshot = decode(snapshotCodec, bytes);
  const state = newState(snapshot.foundation, snapshot);
  state.spending = snapshot.spending;
  state.clock = snapshot.clock;
  state.watermark = snapshot.watermark;
  while (state.keyRing.partyCount < snapshot.keys) state.keyRing.deriveNext();
  for (const peer of snapshot.peers) putPeer(state, peer);
  for (const channel of snapshot.channels) state.channels.set(channel.channelId, channel);
  for (const payment of snapshot.payments) putPayment(state, payment);
  for (const tombstone of snapshot.tombstones) state.tombstones.set(tombstone.paymentId, tombstone);
  for (const tombstone of snapshot.resolved) state.resolved.set(tombstone.paymentId, tombstone);
  for (const order of snapshot.orders) putOrder(state, order);
  for (const invoice of snapshot.invoices) state.invoices.set(invoice.hash, invoice);
  return state;
}

export const isAccepted = (state: State, credential: Credential): boolean =>
  whyRefused(credential.quote, state.attestation) === null;

/** An address stays with the first terminal that certified it; only an accepted one takes over from a refused one. */
export function putPeer(state: State, peer: Snapshot['peers'][number]): void {
  const { credential, certificates } = peer;
  state.peers.set(credential.identity, peer);
  for (const certificate of certificates) {
    const holder = state.peers.get(state.index.addressOwner.get(certificate.address) ?? credential.identity);
    const isFree =
      !holder || holder === peer || (isAccepted(state, credential) && !isAccepted(state, holder.credential));
    if (isFree) state.index.addressOwner.set(certificate.address, credential.identity);
  }
}

export function putPayment(state: State, payment: Payment): void {
  const { paymentId } = payment.about;
  state.payments.set(paymentId, payment);
  for (const transfer of payment.about.transfers) {
    const pending = state.index.pendingOn.get(transfer.channelId) ?? new Set();
    if (transfer.resolved === null) pending.add(paymentId);
    state.index.pendingOn.set(transfer.channelId, pending);
  }
}

export function putOrder(state: State, order: OrderState): void {
  state.orders.set(order.order.orderId, order);
  for (const nonce of orderNonces(order.order.orderId)) state.index.orderByNonce.set(nonce, order.order.orderId);
}

export function orderNonces(orderId: Bytes32): Bytes16[] {
  return Array.from({ length: MAX_ATTEMPTS }, (_, attempt) => orderNonce(orderId, attempt));
}

/** The terminal that answers for a party address: itself, or the peer that certified it. */
export function ownerOf(state: State, party: Address): Identity | null {
  if (state.keyRing.partyKey(party)) return state.keyRing.identity;
  if (state.peers.has(party as Identity)) return party as Identity;
  return state.index.addressOwner.get(party) ?? null;
}

/** Pending payments with an unresolved transfer on this channel. */
export function* pendingOn(state: State, channelId: ChannelId): Generator<Payment> {
  for (const paymentId of state.index.pendingOn.get(channelId) ?? []) {
    const payment = state.payments.get(paymentId);
    if (payment) yield payment;
  }
}
