/**
 * What the hub keeps for good, and the verbs by which it changes (seed patent 200). hub/store implements them.
 *
 * Invariant: writing the same again changes nothing, so a turn that was interrupted may be repeated.
 */

import type { ChannelIdentity, Side } from '../../enclave/core/channel-identity.ts';
import type { Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { Order } from '../../enclave/core/order.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import type { Introduction, Profile } from '../../enclave/core/wire.ts';

/** The contract's events are read up to `nextBlock`, exclusive. */
export interface ChainCursor {
  readonly nextBlock: number;
  /** The last block that was read, so that a follower can tell whether the chain still has it. */
  readonly anchor: { readonly blockNumber: number; readonly blockHash: Bytes32 } | null;
}

export interface ChannelRecord {
  readonly channelId: ChannelId;
  readonly identity: ChannelIdentity;
  readonly depositA: bigint;
  readonly depositB: bigint;
}

export interface TerminalRecord {
  readonly introduction: Introduction;
  readonly profile: Profile;
}

/**
 * How far a payment has come. Decisions, in the order in which they can be taken:
 * `preparing` asked for PRE; `updating` all PRE are here; `completing` all POST are here; `complete` all are DONE;
 * `aborting` a REJECT is here; `aborted` nobody holds anything for it any more;
 * `void` and `applied`: the chain ended it.
 */
export const PAYMENT_STATES = [
  'preparing',
  'updating',
  'completing',
  'complete',
  'aborting',
  'aborted',
  'void',
  'applied',
] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];
export const isUnfinished = (state: PaymentState): boolean =>
  state === 'preparing' || state === 'updating' || state === 'completing' || state === 'aborting';

/** What was decided about a payment, with the evidence that carries the decision to its participants. */
export interface PaymentProgress {
  readonly paymentId: PaymentId;
  readonly state: PaymentState;
  /** Why it was aborted or ended on chain, as a code and in words; else empty. */
  readonly code: string;
  readonly message: string;
  /**
   * One MAC for each participant in their order: aggregated PRE (updating), aggregated POST (completing), REJECT of
   * `rejectedBy` (aborting, its own place is zero). Null otherwise.
   */
  readonly evidence: readonly Uint8Array[] | null;
  readonly rejectedBy: Identity | null;
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface PaymentRecord extends PaymentProgress {
  readonly order: Order;
  /** 0, 1, 2 … within the order. */
  readonly attempt: number;
  readonly terms: PaymentTerms;
  /** Ascending. */
  readonly participants: readonly Identity[];
  /** What all intermediaries together keep. */
  readonly fee: bigint;
  readonly begunMs: number;
}

export type StoreWrite =
  | { kind: 'channelOpened'; channelId: ChannelId; identity: ChannelIdentity }
  | { kind: 'deposited'; channelId: ChannelId; side: Side; total: bigint }
  | { kind: 'channelSettled'; channelId: ChannelId; creditA: bigint; creditB: bigint }
  | { kind: 'chainRead'; cursor: ChainCursor }
  | { kind: 'terminalKnown'; terminal: TerminalRecord }
  | { kind: 'paymentBegun'; payment: PaymentRecord }
  | { kind: 'paymentMoved'; progress: PaymentProgress };

/** What a hub starts from. */
export interface Snapshot {
  /** Those that are not settled. */
  readonly channels: readonly ChannelRecord[];
  readonly terminals: readonly TerminalRecord[];
  /** All unfinished payments, and the last attempt of every order that has not expired; oldest first. */
  readonly payments: readonly PaymentRecord[];
  readonly cursor: ChainCursor | null;
}
