/**
 * What two enclaves say to each other: pair keys, evidence of phases, authenticated messages
 * (PROTOCOL.md sections 3, 4 and 9).
 */

import { x25519 } from '@noble/curves/ed25519.js';
import {
  amount,
  bytes32Codec,
  channelIdCodec,
  encode,
  fixed,
  identityCodec,
  oneOf,
  paymentIdCodec,
  struct,
  type TypeOf,
  toBytes,
  uint64,
  union,
} from './codec.ts';
import { ascii, equalBytes, keyedHash } from './hash.ts';
import type { Bytes32, Identity, PaymentId } from './ids.ts';

/** Another terminal under the X25519 key that was verified for it. */
export interface PairPeer {
  identity: Identity;
  exchangeKey: Bytes32;
}

/** Derives the key that two enclaves share. @throws on an all-zero X25519 secret (RFC 7748, section 6.1) */
export function derivePairKey(
  own: { identity: Identity; secret: Uint8Array },
  peer: PairPeer,
  domain: Bytes32,
): Uint8Array {
  const shared = x25519.getSharedSecret(own.secret, toBytes(peer.exchangeKey));
  const [smaller, larger] =
    own.identity < peer.identity ? [own.identity, peer.identity] : [peer.identity, own.identity];
  return keyedHash(shared, ascii('baro pair 1'), toBytes(domain), toBytes(smaller), toBytes(larger));
}

export const TAG = { PRE: 1, POST: 2, REJECT: 3, DONE: 4 } as const;
export type EvidenceTag = keyof typeof TAG;
export const EVIDENCE_BYTES = 16;

/** Evidence that `sender` is in a phase of a payment: convinces only the other holder of `pairKey`. */
export function evidence(
  pairKey: Uint8Array,
  tag: EvidenceTag,
  about: { paymentId: PaymentId; sender: Identity },
): Uint8Array {
  const input = new Uint8Array(53);
  input[0] = TAG[tag];
  input.set(toBytes(about.paymentId), 1);
  input.set(toBytes(about.sender), 33);
  return keyedHash(pairKey, input).subarray(0, EVIDENCE_BYTES);
}

/** XOR of evidence from a set of senders to one receiver (Katz and Lindell, Aggregate Message Authentication Codes). */
export function aggregate(macs: readonly Uint8Array[]): Uint8Array {
  const sum = new Uint8Array(EVIDENCE_BYTES);
  for (const mac of macs) for (let at = 0; at < EVIDENCE_BYTES; at++) sum[at] = (sum[at] ?? 0) ^ (mac[at] ?? 0);
  return sum;
}

/** Messages between two enclaves. Every body names its channel; sender and receiver stand in the envelope. */
export const pairBodyCodec = union({
  /** The sender's enclave agrees to the identity of this channel (section 3, Open). */
  agree: [16, struct({ channelId: channelIdCodec })],
  /** The sender's enclave confirms the cumulative deposit of the receiver's side. */
  confirm: [17, struct({ channelId: channelIdCodec, side: oneOf(['A', 'B']), total: amount })],
  /** A direct payment from sender to receiver. `reference` is the payer's to choose (an order number's hash). */
  direct: [
    18,
    struct({ channelId: channelIdCodec, sequence: uint64, amount, directTotal: amount, reference: bytes32Codec }),
  ],
  /** All direct payments up to `sequence` were applied. */
  directAck: [19, struct({ channelId: channelIdCodec, sequence: uint64 })],
  /** The sender's enclave takes a recorded outcome as final on this channel (section 5, Without leaving). */
  consent: [20, struct({ channelId: channelIdCodec, paymentId: paymentIdCodec, outcome: oneOf(['VOID', 'APPLIED']) })],
});
export type PairBody = TypeOf<typeof pairBodyCodec>;

const envelopeCodec = struct({ sender: identityCodec, receiver: identityCodec, body: pairBodyCodec });
export const pairMessageCodec = struct({
  sender: identityCodec,
  receiver: identityCodec,
  body: pairBodyCodec,
  mac: fixed(32),
});
export type PairMessage = TypeOf<typeof pairMessageCodec>;

/** Authenticated bytes: at least 73, so never an evidence input of 53; the domain is in the key. */
const messageMac = (pairKey: Uint8Array, message: TypeOf<typeof envelopeCodec>): Uint8Array =>
  keyedHash(pairKey, encode(envelopeCodec, message));

export function sealPairMessage(pairKey: Uint8Array, message: TypeOf<typeof envelopeCodec>): Uint8Array {
  return encode(pairMessageCodec, { ...message, mac: messageMac(pairKey, message) });
}

export const isAuthentic = (pairKey: Uint8Array, message: PairMessage): boolean =>
  equalBytes(message.mac, messageMac(pairKey, message));
