/**
 * What a terminal's host remembers for its owner: payment history, how far the chain was read, terminals it met.
 *
 * Nothing here protects money (that is the vault's and the enclave's), so a lost journal costs history alone; but the
 * cursor is only ever stored after what it passed was reported to the enclave. One conformance suite for all
 * implementations: journal.suite.ts.
 */

import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { PaymentView } from '../../enclave/core/interface.ts';

/** A payment as its owner's list shows it. */
export interface PaymentHistoryEntry {
  /** Ascending in the order in which payments first appeared here: the cursor of `payments({ before })`. */
  sequence: number;
  kind: 'round' | 'direct';
  /** Payment id, or for a direct payment channel id, direction and number. */
  key: string;
  paymentId: PaymentId | null;
  /** Of a direct payment. */
  channelId: ChannelId | null;
  role: PaymentView['role'];
  phase: PaymentView['phase'];
  token: Address;
  /** Payer: what it pays with fees. Payee: what it gets. Intermediary: the fee that it keeps. */
  amount: bigint;
  /** Of that, what intermediaries keep; null where this terminal cannot know it. */
  fee: bigint | null;
  payer: Identity;
  payee: Identity | null;
  invoice: Bytes32 | null;
  orderId: Bytes32 | null;
  /** Invoice description, or empty. */
  description: string;
  hops: number;
  createdAt: number;
  updatedAt: number;
}

/** An entry before it has its place in the list; saving a known `key` again updates phase, amounts and time. */
export type PaymentSaved = Omit<PaymentHistoryEntry, 'sequence' | 'createdAt'>;

/** Where reading the chain goes on, and the block hash by which a reorganisation shows. */
export interface StoredCursor {
  /** The last block that was read. */
  blockNumber: number;
  blockHash: Bytes32;
  /** Hash of block 0: tells one development chain from the next. */
  genesisHash: Bytes32;
}

/** What the chain was seen to hold, and what of it the enclave was told. */
export interface ReportedDeposit {
  channelId: ChannelId;
  side: 'A' | 'B';
  total: bigint;
}

export interface ChainProgress {
  cursor: StoredCursor;
  deposits: readonly ReportedDeposit[];
  settled: readonly ChannelId[];
}

export interface KnownPeer {
  identity: Identity;
  name: string;
  payout: Address;
  seenAt: number;
}

export const MAX_HISTORY_PAGE = 1_000;

export interface Journal {
  /** All or none, in the order given. */
  savePayments(entries: readonly PaymentSaved[]): Promise<void>;
  /** Newest first: at most `limit` (1 to 1,000) entries with a sequence below `before`. */
  payments(page: { limit: number; before: number | null }): Promise<PaymentHistoryEntry[]>;
  cursor(): Promise<StoredCursor | null>;
  /** Stores the cursor, and what was reported up to it, together. */
  saveProgress(progress: ChainProgress): Promise<void>;
  /** The chain is read from its beginning again; what was reported stays. */
  forgetCursor(): Promise<void>;
  /** Channels of this terminal that were seen settled. */
  settlements(): Promise<ChannelId[]>;
  deposits(): Promise<ReportedDeposit[]>;
  savePeer(peer: KnownPeer): Promise<void>;
  /** Most recently seen first, at most 1,000. */
  peers(): Promise<KnownPeer[]>;
  close(): Promise<void>;
}
