/**
 * Every frame between hub and terminal (PROTOCOL.md section 9): one version byte, then a list of messages, each with a
 * fixed layout. Many commands to one terminal share a frame and are answered in one (seed patent [0036]).
 *
 * Session: hub `challenge` → terminal `hello` → hub `welcome` or `refused`. Nothing else is spoken before.
 */

import { channelIdentityCodec } from './channel-identity.ts';
import {
  addressCodec,
  amount,
  blob,
  bool,
  bytes16Codec,
  bytes32Codec,
  type Codec,
  decode,
  encode,
  identityCodec,
  list,
  MalformedBytes,
  oneOf,
  option,
  paymentIdCodec,
  signatureCodec,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
  uint64big,
  union,
} from './codec.ts';
import { addressCertificateCodec, audienceCodec, credentialCodec } from './credential.ts';
import {
  MAX_ADDRESSES,
  MAX_CHANNELS,
  MAX_COMMANDS,
  MAX_FRAME_BYTES,
  MAX_PAIR_MESSAGE_BYTES,
  MAX_PARTICIPANTS,
} from './limits.ts';
import { orderCodec, ownerPolicyCodec } from './order.ts';
import { spendableCodec, stepAnswerCodec, stepCodec } from './round-messages.ts';

export const WIRE_VERSION = 1;

/** What a terminal tells the network about itself. The policy is a copy of what its enclave enforces, for routing. */
export const profileCodec = struct({
  /** For people; nobody verifies it. */
  name: text(64),
  /** Where the contract's credits of its channels shall go. */
  payout: addressCodec,
  policy: ownerPolicyCodec,
});
export type Profile = TypeOf<typeof profileCodec>;

const introductionFields = {
  credential: credentialCodec,
  certificates: list(addressCertificateCodec, MAX_ADDRESSES),
};
/** Another terminal's credential and certificates, verified by whoever receives them. */
export const introductionCodec = struct(introductionFields);
export type Introduction = TypeOf<typeof introductionCodec>;

const pairMessage = blob(MAX_PAIR_MESSAGE_BYTES);

/** How far an order has come, as the hub sees it. The hub's word is news, never proof (section 4, "When to deliver"). */
export const ORDER_STATES = ['routing', 'preparing', 'updating', 'completing', 'complete', 'failed'] as const;
export type OrderState = (typeof ORDER_STATES)[number];

export const hubMessageCodec = union({
  challenge: [1, struct({ chainId: uint64big, contract: addressCodec, challenge: bytes32Codec })],
  /** The session stands; heartbeats come at this interval. */
  welcome: [2, struct({ heartbeatMs: uint32 })],
  /** The session or one message was refused; what to do next is in the message. */
  refused: [3, struct({ code: text(64), message: text(512) })],
  introduce: [4, introductionCodec],
  step: [5, struct({ step: stepCodec })],
  relayed: [6, struct({ from: identityCodec, message: pairMessage })],
  /** A terminal proposes a channel; `side` is the proposer's. */
  proposed: [7, struct({ from: identityCodec, channel: channelIdentityCodec, side: oneOf(['A', 'B']) })],
  /** What the hub could not hand over: the receiver has no session. */
  undeliverable: [8, struct({ to: identityCodec })],
  found: [9, struct({ ...introductionFields, profile: profileCodec, online: bool })],
  notFound: [10, struct({ identity: identityCodec })],
  /** A terminal with which the receiver shares a channel came or went. */
  presence: [11, struct({ identity: identityCodec, online: bool })],
  orderUpdate: [
    12,
    struct({
      orderId: bytes32Codec,
      state: oneOf(ORDER_STATES),
      attempt: uint8,
      paymentId: option(paymentIdCodec),
      hops: uint8,
      /** Who has not answered the present step. */
      waitingFor: list(identityCodec, MAX_PARTICIPANTS),
      /** Empty, or why the order failed (or its last attempt did), as a code and in words. */
      code: text(64),
      message: text(512),
    }),
  ],
  /** What a payment would take now, or as code and words why there is no route. Nothing is promised. */
  routeQuote: [
    13,
    struct({
      requestId: bytes16Codec,
      code: text(64),
      message: text(512),
      hops: uint8,
      /** What all intermediaries together would keep. */
      fee: amount,
      expectedMs: uint32,
    }),
  ],
});
export type HubMessage = TypeOf<typeof hubMessageCodec>;

export const terminalMessageCodec = union({
  /** `audience`: the hub's name as this terminal dialled it; the signature covers it and the challenge. */
  hello: [
    1,
    struct({ ...introductionFields, profile: profileCodec, audience: audienceCodec, signature: signatureCodec }),
  ],
  /** New certificates or a new profile. */
  announce: [2, struct({ certificates: list(addressCertificateCodec, MAX_ADDRESSES), profile: profileCodec })],
  lookup: [3, struct({ identity: identityCodec })],
  relay: [4, struct({ to: identityCodec, message: pairMessage })],
  propose: [5, struct({ to: identityCodec, channel: channelIdentityCodec, side: oneOf(['A', 'B']) })],
  order: [6, struct({ order: orderCodec })],
  /** The payer gives up: the hub cancels what not everybody prepared. */
  cancelOrder: [7, struct({ orderId: bytes32Codec })],
  answer: [8, struct({ answer: stepAnswerCodec })],
  /** What this terminal can spend on channels whose balance changed outside a round. */
  balances: [9, struct({ balances: list(spendableCodec, MAX_CHANNELS) })],
  /** Asks what a payment would take, without paying. */
  routeRequest: [10, struct({ requestId: bytes16Codec, payee: identityCodec, token: addressCodec, amount })],
});
export type TerminalMessage = TypeOf<typeof terminalMessageCodec>;

function encodeFrame<T>(codec: Codec<T>, messages: T[]): Uint8Array {
  return encode(struct({ version: uint8, messages: list(codec, MAX_COMMANDS) }), { version: WIRE_VERSION, messages });
}

function decodeFrame<T>(codec: Codec<T>, bytes: Uint8Array): T[] {
  if (bytes.length > MAX_FRAME_BYTES)
    throw new MalformedBytes(`a frame of ${bytes.length} bytes; ${MAX_FRAME_BYTES} are allowed`);
  if (bytes[0] !== WIRE_VERSION) {
    throw new MalformedBytes(
      `wire version ${bytes[0] ?? 'missing'}; this program speaks ${WIRE_VERSION}: update the older one`,
    );
  }
  const { messages } = decode(struct({ version: uint8, messages: list(codec, MAX_COMMANDS) }), bytes);
  if (messages.length === 0) throw new MalformedBytes('a frame without a message');
  return messages;
}

export const encodeHubFrame = (messages: HubMessage[]): Uint8Array => encodeFrame(hubMessageCodec, messages);
export const encodeTerminalFrame = (messages: TerminalMessage[]): Uint8Array =>
  encodeFrame(terminalMessageCodec, messages);
/** @throws MalformedBytes on anything that `encodeHubFrame` could not have written. */
export const decodeHubFrame = (bytes: Uint8Array): HubMessage[] => decodeFrame(hubMessageCodec, bytes);
/** @throws MalformedBytes on anything that `encodeTerminalFrame` could not have written. */
export const decodeTerminalFrame = (bytes: Uint8Array): TerminalMessage[] => decodeFrame(terminalMessageCodec, bytes);
