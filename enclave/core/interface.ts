/**
 * The enclave's one door: this file is the list of what can be asked of an enclave, and what comes back.
 *
 * Bytes in, bytes out, one call at a time. No call is for debugging and none returns a secret.
 * PROTOCOL.md section 6 ("Anchor, then release"): a call that changes state is answered by `sealed`, the record alone;
 * results follow on `durable`, after the enclave has swapped the platform's register. enclave/README.md explains each.
 */

import { channelIdentityCodec } from './channel-identity.ts';
import {
  addressCodec,
  amount,
  blob,
  bool,
  bytes16Codec,
  bytes32Codec,
  channelIdCodec,
  identityCodec,
  list,
  oneOf,
  option,
  paymentIdCodec,
  signatureCodec,
  struct,
  type TypeOf,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  uint64big,
  union,
} from './codec.ts';
import { addressCertificateCodec, attestationPolicyCodec, audienceCodec, credentialCodec } from './credential.ts';
import {
  MAX_ADDRESSES,
  MAX_CHANNELS,
  MAX_COMMANDS,
  MAX_DIRECT_UNACKNOWLEDGED,
  MAX_INVOICES,
  MAX_LIMITS,
  MAX_ORDERS,
  MAX_PAIR_MESSAGE_BYTES,
  MAX_PARTICIPANTS,
  MAX_PENDING_CONTRACT,
  MAX_RECORD_BYTES,
  MAX_TRANSFERS,
} from './limits.ts';
import { invoiceCodec, orderCodec, ownerPolicyCodec, signedInvoiceCodec } from './order.ts';
import { signedReceiptCodec } from './receipt.ts';
import { stepAnswerCodec, stepCodec } from './round-messages.ts';
import { spendingLimitCodec } from './spending.ts';
import { introductionCodec } from './wire.ts';

const side = oneOf(['A', 'B']);
const outcome = oneOf(['VOID', 'APPLIED']);
const pairMessage = blob(MAX_PAIR_MESSAGE_BYTES);
const nothing = struct({});
const sealedRecord = blob(MAX_RECORD_BYTES);

/** What the owner's host may ask for; several travel in one frame, each with a result of its own. */
export const commandCodec = union({
  /** Derives and certifies one more channel party address (section 3, Identity). → address */
  deriveAddress: [1, nothing],
  /** → self */
  describe: [2, nothing],
  /** Verifies and keeps another terminal's credential and certificates. → ok */
  introduce: [3, introductionCodec],
  /** Replaces the owner's policy. → ok */
  setPolicy: [4, ownerPolicyCodec],
  /** Replaces whose quotes are accepted. → ok */
  setAttestation: [25, attestationPolicyCodec],
  /** Proves the identity to the hub that sent this challenge and was dialled by this name. → signature */
  session: [5, struct({ challenge: bytes32Codec, audience: audienceCodec })],
  /** Agrees to a channel with `peer`, as party on `side`. → messages for the peer */
  agree: [6, struct({ channel: channelIdentityCodec, side, peer: identityCodec })],
  /** The host has seen this cumulative deposit of the peer's side confirmed on chain. → messages for the peer */
  confirmDeposit: [7, struct({ channelId: channelIdCodec, total: amount })],
  /** A message from another enclave. → delivered */
  deliver: [8, struct({ message: pairMessage })],
  /** Writes again what a peer may have missed: agreements, confirmations, unacknowledged direct payments. → messages */
  resend: [9, struct({ peer: identityCodec })],
  /** Pays over one channel without a round (section 3, Direct payment). → messages for the peer */
  direct: [10, struct({ channelId: channelIdCodec, amount, reference: bytes32Codec })],
  /** Seals a wish to pay. `expiry` in unix seconds. → order */
  order: [
    11,
    struct({
      payee: identityCodec,
      token: addressCodec,
      amount,
      maxFee: amount,
      invoice: bytes32Codec,
      expiry: uint64,
    }),
  ],
  /** Gives an unbound order up. → ok */
  cancelOrder: [12, struct({ orderId: bytes32Codec })],
  /** Sets what can be spent without the PIN; `newPin` sets or changes it, and a PIN that is set must be given. → ok */
  setLimits: [
    27,
    struct({ limits: list(spendingLimitCodec, MAX_LIMITS), pin: option(text(64)), newPin: option(text(64)) }),
  ],
  /** Allows the next payment of at most `amount` beyond the limits, for five minutes. → ok */
  liftLimit: [28, struct({ pin: text(64), token: addressCodec, amount })],
  /** → limits */
  showLimits: [29, nothing],
  /** Asks for money. → invoice */
  invoice: [13, struct({ token: addressCodec, amount, expiry: uint64, description: text(256) })],
  /** Withdraws an unbound invoice. → ok */
  cancelInvoice: [14, struct({ hash: bytes32Codec })],
  /** One step of a payment round. → step */
  step: [15, struct({ step: stepCodec })],
  /** Signs for third parties that a payment is DONE here; only while the enclave remembers it. → receipt */
  receipt: [26, struct({ paymentId: paymentIdCodec })],
  /** Signs the outcome that this terminal's phase stands for, for the contract (section 5, record). → record */
  record: [16, struct({ paymentId: paymentIdCodec })],
  /** Signs the exit of a channel, for good, also of one that was never agreed but names an own address (section 5). → exit */
  exit: [17, struct({ channel: channelIdentityCodec })],
  /** As `exit`, refused while anything is pending there (section 3, Close). → exit */
  close: [18, struct({ channelId: channelIdCodec })],
  /** The host has read this outcome from the contract; consents where this terminal is the one who loses. → messages */
  consent: [19, struct({ channelId: channelIdCodec, paymentId: paymentIdCodec, outcome })],
  /**
   * The host has seen the channel settled on chain, with these outcomes of what was pending. They are read from the
   * contract, never inferred from its silence: the peer's exit may hold a payment in its sums as DONE. → ok
   */
  settled: [
    20,
    struct({
      channelId: channelIdCodec,
      outcomes: list(struct({ paymentId: paymentIdCodec, outcome }), MAX_PENDING_CONTRACT),
    }),
  ],
  /** → channels */
  listChannels: [21, nothing],
  /** → payments */
  listPayments: [22, nothing],
  /** → orders */
  listOrders: [23, nothing],
  /** → invoices */
  listInvoices: [24, nothing],
});
export type Command = TypeOf<typeof commandCodec>;

/** How a terminal takes part in a payment. */
export const roleCodec = oneOf(['payer', 'payee', 'intermediary']);

/** A payment as one of its participants sees it. */
export const paymentViewCodec = struct({
  paymentId: paymentIdCodec,
  phase: oneOf(['PRE-UPDATE', 'POST-UPDATE', 'DONE', 'ABORTED', 'RESOLVED']),
  role: roleCodec,
  token: addressCodec,
  /** Payer: what it pays with fees. Payee: what it gains. Intermediary: the fee that it keeps. */
  amount,
  payer: identityCodec,
  /** The order's payee where this terminal is the payer, itself where it is the payee; else null. */
  payee: option(identityCodec),
  invoice: bytes32Codec,
  /** The payer's own order. */
  orderId: option(bytes32Codec),
  expiry: uint64,
  participants: list(identityCodec, MAX_PARTICIPANTS),
  /** True after a record, exit or consent that bars UPDATE. */
  frozen: bool,
  transfers: list(
    struct({ channelId: channelIdCodec, outgoing: bool, amount, resolved: option(outcome) }),
    MAX_TRANSFERS,
  ),
});
export type PaymentView = TypeOf<typeof paymentViewCodec>;

export const channelViewCodec = struct({
  channelId: channelIdCodec,
  channel: channelIdentityCodec,
  side,
  peer: identityCodec,
  /** Both enclaves agreed. */
  agreed: bool,
  /** Own deposit as confirmed by the peer's enclave; the peer's as confirmed by this one. */
  ownDeposit: amount,
  peerDeposit: amount,
  ownBalance: amount,
  peerBalance: amount,
  /** Own balance without what is pending outwards. */
  spendable: amount,
  pendingOut: amount,
  pendingIn: amount,
  pendingCount: uint32,
  directUnacknowledged: uint16,
  /** A confirmed deposit is gone from the chain: no new payments until it is back. */
  suspended: bool,
  exitSigned: bool,
  settled: bool,
});
export type ChannelView = TypeOf<typeof channelViewCodec>;

/** An exit with all that the contract needs; strictly ascending by payment id. */
export const signedExitCodec = struct({
  channelId: channelIdCodec,
  channel: channelIdentityCodec,
  sentA: amount,
  sentB: amount,
  stale: bool,
  pending: list(
    struct({
      paymentId: paymentIdCodec,
      nonce: bytes16Codec,
      invoice: bytes32Codec,
      expiry: uint64,
      proof: list(bytes32Codec, 8),
      amount,
      fromA: bool,
      phase: oneOf(['PRE-UPDATE', 'POST-UPDATE']),
    }),
    MAX_PENDING_CONTRACT,
  ),
  signature: signatureCodec,
});
export type SignedExit = TypeOf<typeof signedExitCodec>;

export const signedRecordCodec = struct({
  paymentId: paymentIdCodec,
  channel: channelIdentityCodec,
  outcome,
  nonce: bytes16Codec,
  invoice: bytes32Codec,
  expiry: uint64,
  proof: list(bytes32Codec, 8),
  amount,
  fromA: bool,
  signature: signatureCodec,
});

const status = oneOf(['open', 'bound', 'paid']);
export const orderViewCodec = struct({ order: orderCodec, status, paymentId: option(paymentIdCodec) });
export const invoiceViewCodec = struct({
  hash: bytes32Codec,
  invoice: invoiceCodec,
  status,
  paymentId: option(paymentIdCodec),
});

export const selfCodec = struct({
  credential: credentialCodec,
  certificates: list(addressCertificateCodec, MAX_ADDRESSES),
  policy: ownerPolicyCodec,
  attestation: attestationPolicyCodec,
});
export type Self = TypeOf<typeof selfCodec>;

/** What a message from another enclave brought about. */
export const noticeCodec = union({
  agreed: [1, struct({ channelId: channelIdCodec })],
  confirmed: [2, struct({ channelId: channelIdCodec, total: amount })],
  directReceived: [3, struct({ channelId: channelIdCodec, sequence: uint64, amount, reference: bytes32Codec })],
  directAcknowledged: [4, struct({ channelId: channelIdCodec, sequence: uint64 })],
  resolved: [5, struct({ channelId: channelIdCodec, paymentId: paymentIdCodec, outcome })],
});
export type Notice = TypeOf<typeof noticeCodec>;

export const resultCodec = union({
  ok: [1, nothing],
  address: [2, addressCertificateCodec],
  self: [3, selfCodec],
  signature: [4, struct({ signature: signatureCodec })],
  messages: [5, struct({ messages: list(pairMessage, 2 + MAX_CHANNELS + MAX_DIRECT_UNACKNOWLEDGED) })],
  /** `notice` is null for what was known already. */
  delivered: [6, struct({ replies: list(pairMessage, 4), notice: option(noticeCodec) })],
  order: [7, struct({ order: orderCodec })],
  invoice: [8, struct({ hash: bytes32Codec, signed: signedInvoiceCodec })],
  /** `about` is null where the enclave knows nothing of the payment. */
  step: [9, struct({ answer: stepAnswerCodec, about: option(paymentViewCodec) })],
  record: [10, struct({ record: signedRecordCodec })],
  exit: [11, struct({ exit: signedExitCodec })],
  channels: [12, struct({ channels: list(channelViewCodec, MAX_CHANNELS) })],
  payments: [13, struct({ payments: list(paymentViewCodec, MAX_CHANNELS * MAX_PENDING_CONTRACT) })],
  orders: [14, struct({ orders: list(orderViewCodec, MAX_ORDERS) })],
  invoices: [15, struct({ invoices: list(invoiceViewCodec, MAX_INVOICES) })],
  receipt: [17, struct({ signed: signedReceiptCodec })],
  limits: [
    18,
    struct({
      limits: list(spendingLimitCodec, MAX_LIMITS),
      today: list(struct({ token: addressCodec, spent: amount }), MAX_LIMITS),
      hasPin: bool,
      triesLeft: uint8,
    }),
  ],
  /** Nothing has changed; `code` is stable, `message` says why and what to do next. */
  refused: [16, struct({ code: text(64), message: text(512) })],
});
export type Result = TypeOf<typeof resultCodec>;

/** The calls themselves. `create` or `load`… `open` come first, once; then `frame` and `durable` take turns. */
export const doorCallCodec = union({
  /** A new terminal: draws a seed. → sealed */
  create: [
    1,
    struct({
      chainId: uint64big,
      contract: addressCodec,
      attestation: attestationPolicyCodec,
      policy: ownerPolicyCodec,
      /** Signs releases to which sealed state may move (section 6, Hand-over). */
      releaseAuthority: option(addressCodec),
    }),
  ],
  /** Sealed records, oldest first, from the last snapshot on; in as many calls as it takes. → loaded */
  load: [2, struct({ records: list(sealedRecord, MAX_COMMANDS) })],
  /** Starts from what was loaded. → opened, or refused as STALE, FOREIGN, CORRUPT */
  open: [3, nothing],
  /** `now` in unix seconds, by the host's clock. → sealed, or results where nothing changed */
  frame: [4, struct({ now: uint64, commands: list(commandCodec, MAX_COMMANDS) })],
  /** The record with this hash is on disk. → results, or refused as ANCHOR_FAILED, after which the instance is dead */
  durable: [5, struct({ recordHash: bytes32Codec })],
});
export type DoorCall = TypeOf<typeof doorCallCodec>;

export const doorReplyCodec = union({
  sealed: [1, struct({ record: sealedRecord, recordHash: bytes32Codec, snapshot: bool })],
  results: [2, struct({ results: list(resultCodec, MAX_COMMANDS) })],
  loaded: [3, struct({ records: uint32 })],
  /** How many of the loaded records count; the host cuts off what follows. */
  opened: [4, struct({ accepted: uint32 })],
  refused: [5, struct({ code: text(64), message: text(512) })],
});
export type DoorReply = TypeOf<typeof doorReplyCodec>;
