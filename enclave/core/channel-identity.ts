/** What a channel is, for ever: every field goes into its id (PROTOCOL.md sections 3 and 9). */

import { addressCodec, bytes16Codec, struct, type TypeOf, uint32 } from './codec.ts';
import type { Address } from './ids.ts';

export const channelIdentityCodec = struct({
  /** Channel parties: addresses that the two enclaves derived. */
  partyA: addressCodec,
  partyB: addressCodec,
  /** Where the contract's credits go: addresses of the owners, kept outside the enclaves. */
  payoutA: addressCodec,
  payoutB: addressCodec,
  /** ERC-20 contract, or the zero address for the native coin. */
  token: addressCodec,
  /** Seconds that a stale exit waits; 0: this channel knows no stale exits (section 6). */
  challengePeriod: uint32,
  salt: bytes16Codec,
});

export type ChannelIdentity = TypeOf<typeof channelIdentityCodec>;

export type Side = 'A' | 'B';
export const otherSide = (side: Side): Side => (side === 'A' ? 'B' : 'A');
export const partyOf = (identity: ChannelIdentity, side: Side): Address =>
  side === 'A' ? identity.partyA : identity.partyB;
