/**
 * Receipts for third parties: evidence convinces only its receiver, so what others shall believe is signed by the
 * terminal's identity (PROTOCOL.md section 4, "When to deliver").
 */

import {
  addressCodec,
  amount,
  bytes32Codec,
  encode,
  identityCodec,
  oneOf,
  option,
  paymentIdCodec,
  signatureCodec,
  struct,
  type TypeOf,
  toBytes,
  uint64,
} from './codec.ts';
import type { Bytes32 } from './ids.ts';
import { recoverSigner, statement } from './keys.ts';

export const receiptCodec = struct({
  /** Whose enclave says so: it is DONE with the payment, which is final. */
  signer: identityCodec,
  role: oneOf(['payer', 'payee', 'intermediary']),
  paymentId: paymentIdCodec,
  token: addressCodec,
  /** Payer: what it paid with fees. Payee: what it gained. Intermediary: the fee that it kept. */
  amount,
  payer: identityCodec,
  payee: option(identityCodec),
  /** Hash of the invoice, or zero. */
  invoice: bytes32Codec,
  /** Unix seconds, by the clock of the signer's own host. */
  issuedAt: uint64,
});
export type Receipt = TypeOf<typeof receiptCodec>;

export const signedReceiptCodec = struct({ receipt: receiptCodec, signature: signatureCodec });
export type SignedReceipt = TypeOf<typeof signedReceiptCodec>;

/** What the signer's identity signs; bound to the contract by `domain`. */
export const receiptDigest = (domain: Bytes32, receipt: Receipt): Uint8Array =>
  statement('baro receipt 1', toBytes(domain), encode(receiptCodec, receipt));

/** True where the identity that the receipt names has signed it. Whether to believe that terminal is for its quote. */
export const isSignedReceipt = (domain: Bytes32, signed: SignedReceipt): boolean =>
  recoverSigner(receiptDigest(domain, signed.receipt), signed.signature) === signed.receipt.signer;
