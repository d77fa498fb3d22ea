/**
 * What an owner allows: orders (payer), invoices (payee), forwarding policies (intermediary)
 * (PROTOCOL.md section 4, "What an owner allowed").
 */

import {
  addressCodec,
  amount,
  bool,
  bytes16Codec,
  bytes32Codec,
  encode,
  identityCodec,
  list,
  signatureCodec,
  struct,
  type TypeOf,
  text,
  toBytes,
  toHex,
  uint16,
  uint32,
  uint64,
} from './codec.ts';
import { ascii, keccak256, keyedHash } from './hash.ts';
import type { Bytes16, Bytes32 } from './ids.ts';
import { recoverSigner, statement } from './keys.ts';

/** One wish to pay, sealed in the payer's enclave, and handed to the hub, which routes it. */
export const orderCodec = struct({
  /** 32 random bytes: names the order and seeds the nonces of its attempts. */
  orderId: bytes32Codec,
  payer: identityCodec,
  payee: identityCodec,
  token: addressCodec,
  /** What the payee's net gain must be, exactly. */
  amount,
  /** What all intermediaries together may keep at most. */
  maxFee: amount,
  /** Hash of the payee's invoice, or zero. */
  invoice: bytes32Codec,
  /** Unix seconds; becomes the payment's expiry. */
  expiry: uint64,
});
export type Order = TypeOf<typeof orderCodec>;

/** The nonce of attempt 0, 1, 2 … of an order: fresh per attempt, and only this order's (section 9). */
export function orderNonce(orderId: Bytes32, attempt: number): Bytes16 {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, attempt);
  return toHex(keyedHash(toBytes(orderId), ascii('baro nonce 1'), number).subarray(0, 16)) as Bytes16;
}

/** What a payee asks for. `description` is for people; the hash commits to it. */
export const invoiceCodec = struct({
  payee: identityCodec,
  token: addressCodec,
  amount,
  expiry: uint64,
  /** 16 random bytes: two invoices over the same sum differ. */
  reference: bytes16Codec,
  description: text(256),
});
export type Invoice = TypeOf<typeof invoiceCodec>;

export const signedInvoiceCodec = struct({ invoice: invoiceCodec, signature: signatureCodec });
export type SignedInvoice = TypeOf<typeof signedInvoiceCodec>;

export const hashInvoice = (domain: Bytes32, invoice: Invoice): Bytes32 =>
  toHex(keccak256(ascii('baro invoice 1'), toBytes(domain), encode(invoiceCodec, invoice))) as Bytes32;

/** What the payee's identity signs, so that a payer knows whose invoice it is. */
export const invoiceDigest = (domain: Bytes32, invoice: Invoice): Uint8Array =>
  statement('baro signed invoice 1', toBytes(hashInvoice(domain, invoice)));

export const isSignedInvoice = (domain: Bytes32, signed: SignedInvoice): boolean =>
  recoverSigner(invoiceDigest(domain, signed.invoice), signed.signature) === signed.invoice.payee;

/** What an intermediary forwards, per token; without one for a token it forwards nothing of it. */
export const forwardingPolicyCodec = struct({
  token: addressCodec,
  /** Outgoing amount of one payment. */
  minAmount: amount,
  maxAmount: amount,
  /** Fee = feeBase + outgoing amount × feePpm / 1,000,000, rounded up in favour of the intermediary. */
  feeBase: amount,
  feePpm: uint32,
  /** Pending payments that may come in from one neighbour, and from one payer. */
  maxPendingPerPeer: uint16,
  maxPendingPerPayer: uint16,
});
export type ForwardingPolicy = TypeOf<typeof forwardingPolicyCodec>;

export function forwardingFee(policy: Pick<ForwardingPolicy, 'feeBase' | 'feePpm'>, outgoing: bigint): bigint {
  return policy.feeBase + (outgoing * BigInt(policy.feePpm) + 999_999n) / 1_000_000n;
}

/** Everything of an owner's wishes that the enclave enforces, replaced as a whole. */
export const ownerPolicyCodec = struct({
  forwarding: list(forwardingPolicyCodec, 16),
  /** Take payments without an invoice. */
  acceptAnything: bool,
  /** Prepare only with the PRE evidence of all others (section 4, "Against jamming"). */
  prepareLast: bool,
  /** Pending payments per channel; never more than the contract's 400. */
  maxPending: uint16,
});
export type OwnerPolicy = TypeOf<typeof ownerPolicyCodec>;
