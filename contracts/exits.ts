/**
 * Exits as enclaves sign them and as the contract takes them (PROTOCOL.md sections 5, 6 and 9).
 *
 * Invariant: what an enclave signed travels unchanged; names and order of the fields are those of types/*.sol.
 */

import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import { type ExitPending, type PendingPhase, PHASE } from '../enclave/core/encoding.ts';
import type { Bytes16, Bytes32, Hex } from '../enclave/core/ids.ts';

/** A payment's transfer over a channel, and the Merkle proof of that. */
export interface TransferProof {
  nonce: Bytes16;
  invoice: Bytes32;
  /** Unix seconds. */
  expiry: number;
  /** Siblings from the leaf up to the root: `merkleProof` of enclave/core/encoding.ts. */
  proof: readonly Bytes32[];
  amount: bigint;
  /** True where party A pays in this transfer. */
  fromA: boolean;
}

export type PendingProof = TransferProof & { phase: PendingPhase };

/** An exit as an enclave signed it, with what travels unsigned. */
export interface SignedExit {
  identity: ChannelIdentity;
  sentA: bigint;
  sentB: bigint;
  /** Of an enclave that lost its state: goes to `submitStale`, not to `eject`, `settle` or `close`. */
  stale: boolean;
  /** Strictly ascending by payment id, at most MAX_PENDING_CONTRACT. */
  pending: readonly PendingProof[];
  /** 65 bytes. */
  signature: Hex;
}

/** What was signed in a stale exit that stands: from the event of its submission, with the channel's identity. */
export interface StaleTerms {
  identity: ChannelIdentity;
  sentA: bigint;
  sentB: bigint;
  pending: readonly ExitPending[];
}

/** The stale exit that stands on a channel. */
export interface StaleExit {
  /** Whose enclave signed it. */
  side: Side;
  /** Block time, in unix seconds, from which anyone can finalise it. */
  finalAt: number;
  /** EIP-712 digest of the whole exit. */
  digest: Bytes32;
}

export const exitArgument = (exit: SignedExit): object => ({
  ...exit,
  pending: exit.pending.map((entry) => ({ ...entry, phase: PHASE[entry.phase] })),
});

export const staleArgument = (terms: StaleTerms): object => ({
  ...terms,
  pending: terms.pending.map(({ paymentId, ...entry }) => ({
    ...entry,
    payment: paymentId,
    phase: PHASE[entry.phase],
  })),
});
