/** What a payment is: its transfers and the fields that its id commits to (PROTOCOL.md sections 4 and 9). */

import {
  addressCodec,
  amount,
  bytes16Codec,
  bytes32Codec,
  channelIdCodec,
  list,
  struct,
  type TypeOf,
  uint64,
} from './codec.ts';
import { MAX_TRANSFERS } from './limits.ts';

export const transferCodec = struct({
  channelId: channelIdCodec,
  /** Channel party addresses, not identities. */
  payer: addressCodec,
  payee: addressCodec,
  token: addressCodec,
  amount,
});
export type Transfer = TypeOf<typeof transferCodec>;

export const paymentTermsCodec = struct({
  /** Fresh per attempt: `orderNonce` of the payer's order. */
  nonce: bytes16Codec,
  /** Hash of the payee's invoice, or zero. */
  invoice: bytes32Codec,
  /** Unix seconds after which nobody prepares it any more. */
  expiry: uint64,
  /** Strictly ascending by channel id: a channel at most once. */
  transfers: list(transferCodec, MAX_TRANSFERS),
});
export type PaymentTerms = TypeOf<typeof paymentTermsCodec>;
