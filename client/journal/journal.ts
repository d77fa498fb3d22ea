/**
 * What a terminal's host remembers for its owner: payments, invoices, orders, how far the chain was read, terminals it met.
 *
 * Nothing here protects money from others (that is the vault's and the enclave's): a lost journal costs history, and that
 * a repeated order is known again by its key. Two rules: the chain's cursor is only stored after what it passed was
 * reported to the enclave, and an order with a key is stored before it leaves. One conformance suite for all
 * implementations: journal.test.ts.
 */

import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { PaymentView } from '../../enclave/core/interface.ts';
import type { Order } from '../../enclave/core/order.ts';
import type { PayResult } from '../terminal-types.ts';

/** A payment as its owner's list shows it. */
export interface PaymentHistoryEntry {
  /** Ascending in the order in which payments first appeared here: the cursor of `payments({ before })`. */
  sequence: number;
  /** Ascending with every change of any payment: the cursor of `changes({ after })`. */
  revision: number;
  kind: 'round' | 'direct';
  /** Payment id, or for a direct payment channel id, direction and number. */
  key: string;
  paymentId: PaymentId | null;
  /** Of a direct payment. */
  channelId: ChannelId | null;
  role: PaymentView['role'];
  phase: PaymentView['phase'];
  /** What the chain decided, where it did. */
  outcome: Outcome | null;
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
  /** The merchant's own, of the invoice that was paid. */
  orderNumber: string | null;
  /** Who made that invoice, where it was not the owner. */
  cashier: string | null;
  /** The payment of which this one gives something back. */
  refundOf: PaymentId | null;
  createdAt: number;
  updatedAt: number;
}

/** An entry before it has its place in the list; saving a known `key` again updates phase, amounts and time. */
export type PaymentSaved = Omit<
  PaymentHistoryEntry,
  'sequence' | 'revision' | 'createdAt' | 'orderNumber' | 'cashier' | 'refundOf'
>;

/** An invoice that this terminal made. */
export interface InvoiceEntry {
  /** Ascending in the order in which they were made. */
  sequence: number;
  hash: Bytes32;
  /** As it is handed to payers. */
  text: string;
  token: Address;
  amount: bigint;
  /** Unix seconds. */
  expiry: number;
  description: string;
  orderNumber: string | null;
  cashier: string | null;
  /** When it was cancelled, else null. */
  cancelledAt: number | null;
  createdAt: number;
}

export type InvoiceSaved = Omit<InvoiceEntry, 'sequence' | 'cancelledAt'>;

/** How an order ended, as whoever repeats it is told. */
export type OrderOutcome =
  | { kind: 'result'; result: PayResult }
  | { kind: 'refused'; code: string; message: string; facts: Record<string, string> };

/** An order that the owner may repeat without paying twice, or that gives something back. Stored before it leaves. */
export interface OrderEntry {
  orderId: Bytes32;
  /** The owner's idempotency key, unique. */
  key: string | null;
  /** What was asked for under that key, in a fixed form: the same key with something else is refused. */
  parameters: string;
  order: Order;
  handoverUrl: string | null;
  refundOf: PaymentId | null;
  /** Null while it is under way. */
  outcome: OrderOutcome | null;
  createdAt: number;
}

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
  /** Oldest change first: at most `limit` entries with a revision above `after`, each as it is now. */
  changes(page: { limit: number; after: number }): Promise<PaymentHistoryEntry[]>;
  /** Of the latest change, 0 where there is none. */
  newestRevision(): Promise<number>;
  payment(by: { key: string } | { sequence: number }): Promise<PaymentHistoryEntry | null>;
  /** The payment that consumed this invoice or order for good, where the history has it. */
  finalPayment(by: { invoice: Bytes32 } | { orderId: Bytes32 }): Promise<PaymentHistoryEntry | null>;
  /** Payments of a round that were locked when they were last seen; at most 1,000. */
  unfinished(): Promise<PaymentHistoryEntry[]>;
  /** Payments that give something back of this one, whatever became of them; oldest first, at most 1,000. */
  refundsOf(paymentId: PaymentId): Promise<PaymentHistoryEntry[]>;
  saveInvoice(invoice: InvoiceSaved): Promise<void>;
  markCancelled(invoice: { hash: Bytes32; at: number }): Promise<void>;
  /** The newest one, where several have the order number. */
  invoice(by: { hash: Bytes32 } | { orderNumber: string }): Promise<InvoiceEntry | null>;
  /** Newest first: at most `limit` entries with a sequence below `before`. */
  invoices(page: { limit: number; before: number | null }): Promise<InvoiceEntry[]>;
  /** Durable when it resolves. */
  saveOrder(order: OrderEntry): Promise<void>;
  saveOutcome(order: { orderId: Bytes32; outcome: OrderOutcome }): Promise<void>;
  order(by: { key: string } | { orderId: Bytes32 }): Promise<OrderEntry | null>;
  /** Under way, as far as is known here: those without an outcome, oldest first. */
  openOrders(): Promise<OrderEntry[]>;
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
