/** The journal without a disk: for simulations and tests, with the same behaviour. */

import type { Bytes32, ChannelId, PaymentId } from '../../enclave/core/ids.ts';
import {
  type ChainProgress,
  type InvoiceEntry,
  type InvoiceSaved,
  type Journal,
  type KnownPeer,
  MAX_HISTORY_PAGE,
  type OrderEntry,
  type OrderOutcome,
  type PaymentHistoryEntry,
  type PaymentSaved,
  type ReportedDeposit,
  type StoredCursor,
} from './journal.ts';

type Kept = PaymentSaved & Pick<PaymentHistoryEntry, 'sequence' | 'revision' | 'createdAt'>;

const pageSize = (limit: number): number => Math.max(1, Math.min(limit, MAX_HISTORY_PAGE));

export class MemoryJournal implements Journal {
  readonly #payments = new Map<string, Kept>();
  readonly #invoices: InvoiceEntry[] = [];
  readonly #orders = new Map<Bytes32, OrderEntry>();
  #revision = 0;
  readonly #deposits = new Map<string, ReportedDeposit>();
  readonly #peers = new Map<string, KnownPeer>();
  readonly #settlements = new Set<ChannelId>();
  #cursor: StoredCursor | null = null;
  #sequence = 0;

  savePayments(entries: readonly PaymentSaved[]): Promise<void> {
    for (const entry of entries) {
      const known = this.#payments.get(entry.key);
      const revision = ++this.#revision;
      if (!known) {
        const sequence = ++this.#sequence;
        this.#payments.set(entry.key, { ...entry, sequence, revision, createdAt: entry.updatedAt });
        continue;
      }
      this.#payments.set(entry.key, {
        ...known,
        revision,
        phase: entry.phase,
        outcome: entry.outcome ?? known.outcome,
        amount: entry.amount,
        fee: entry.fee ?? known.fee,
        payee: entry.payee ?? known.payee,
        description: entry.description === '' ? known.description : entry.description,
        updatedAt: entry.updatedAt,
      });
    }
    return Promise.resolve();
  }

  payments(page: { limit: number; before: number | null }): Promise<PaymentHistoryEntry[]> {
    const before = page.before ?? Number.MAX_SAFE_INTEGER;
    const entries = this.#entries().filter((entry) => entry.sequence < before);
    return Promise.resolve(
      entries.sort((left, right) => right.sequence - left.sequence).slice(0, pageSize(page.limit)),
    );
  }

  changes(page: { limit: number; after: number }): Promise<PaymentHistoryEntry[]> {
    const entries = this.#entries().filter((entry) => entry.revision > page.after);
    return Promise.resolve(
      entries.sort((left, right) => left.revision - right.revision).slice(0, pageSize(page.limit)),
    );
  }

  newestRevision(): Promise<number> {
    return Promise.resolve(this.#revision);
  }

  payment(by: { key: string } | { sequence: number }): Promise<PaymentHistoryEntry | null> {
    const isIt = (entry: PaymentHistoryEntry): boolean =>
      'key' in by ? entry.key === by.key : entry.sequence === by.sequence;
    return Promise.resolve(this.#entries().find(isIt) ?? null);
  }

  finalPayment(by: { invoice: Bytes32 } | { orderId: Bytes32 }): Promise<PaymentHistoryEntry | null> {
    const isIt = (entry: PaymentHistoryEntry): boolean =>
      (entry.phase === 'DONE' || entry.outcome === 'APPLIED') &&
      ('invoice' in by
        ? entry.role === 'payee' && entry.invoice === by.invoice
        : entry.role === 'payer' && entry.orderId === by.orderId);
    return Promise.resolve(this.#entries().find(isIt) ?? null);
  }

  unfinished(): Promise<PaymentHistoryEntry[]> {
    const isIt = ({ kind, phase }: PaymentHistoryEntry): boolean =>
      kind === 'round' && (phase === 'PRE-UPDATE' || phase === 'POST-UPDATE');
    return Promise.resolve(this.#entries().filter(isIt).slice(0, MAX_HISTORY_PAGE));
  }

  refundsOf(paymentId: PaymentId): Promise<PaymentHistoryEntry[]> {
    const refunds = this.#entries().filter((entry) => entry.refundOf === paymentId);
    return Promise.resolve(refunds.sort((left, right) => left.sequence - right.sequence).slice(0, MAX_HISTORY_PAGE));
  }

  /** With what only the invoice and the order know. */
  #entries(): PaymentHistoryEntry[] {
    return [...this.#payments.values()].map((kept) => {
      const invoice = kept.role === 'payee' ? this.#invoices.find((each) => each.hash === kept.invoice) : undefined;
      const order = kept.orderId === null ? undefined : this.#orders.get(kept.orderId);
      const { orderNumber = null, cashier = null } = invoice ?? {};
      return { ...kept, orderNumber, cashier, refundOf: order?.refundOf ?? null };
    });
  }

  saveInvoice(invoice: InvoiceSaved): Promise<void> {
    this.#invoices.push({ ...invoice, sequence: this.#invoices.length + 1, cancelledAt: null });
    return Promise.resolve();
  }

  markCancelled({ hash, at }: { hash: Bytes32; at: number }): Promise<void> {
    for (const invoice of this.#invoices) if (invoice.hash === hash) invoice.cancelledAt = at;
    return Promise.resolve();
  }

  invoice(by: { hash: Bytes32 } | { orderNumber: string }): Promise<InvoiceEntry | null> {
    const isIt = (invoice: InvoiceEntry): boolean =>
      'hash' in by ? invoice.hash === by.hash : invoice.orderNumber === by.orderNumber;
    return Promise.resolve(this.#invoices.findLast(isIt) ?? null);
  }

  invoices(page: { limit: number; before: number | null }): Promise<InvoiceEntry[]> {
    const before = page.before ?? Number.MAX_SAFE_INTEGER;
    const found = this.#invoices.filter((invoice) => invoice.sequence < before).reverse();
    return Promise.resolve(found.slice(0, pageSize(page.limit)));
  }

  saveOrder(order: OrderEntry): Promise<void> {
    this.#orders.set(order.orderId, { ...order });
    return Promise.resolve();
  }

  saveOutcome({ orderId, outcome }: { orderId: Bytes32; outcome: OrderOutcome }): Promise<void> {
    const order = this.#orders.get(orderId);
    if (order) order.outcome = outcome;
    return Promise.resolve();
  }

  order(by: { key: string } | { orderId: Bytes32 }): Promise<OrderEntry | null> {
    if ('orderId' in by) return Promise.resolve(this.#orders.get(by.orderId) ?? null);
    return Promise.resolve([...this.#orders.values()].find((order) => order.key === by.key) ?? null);
  }

  openOrders(): Promise<OrderEntry[]> {
    return Promise.resolve([...this.#orders.values()].filter((order) => order.outcome === null));
  }

  cursor(): Promise<StoredCursor | null> {
    return Promise.resolve(this.#cursor);
  }

  saveProgress(progress: ChainProgress): Promise<void> {
    for (const channelId of progress.settled) this.#settlements.add(channelId);
    for (const deposit of progress.deposits) this.#deposits.set(`${deposit.channelId} ${deposit.side}`, { ...deposit });
    this.#cursor = { ...progress.cursor };
    return Promise.resolve();
  }

  forgetCursor(): Promise<void> {
    this.#cursor = null;
    return Promise.resolve();
  }

  settlements(): Promise<ChannelId[]> {
    return Promise.resolve([...this.#settlements].sort());
  }

  deposits(): Promise<ReportedDeposit[]> {
    const keys = [...this.#deposits.keys()].sort();
    return Promise.resolve(keys.flatMap((key) => this.#deposits.get(key) ?? []));
  }

  savePeer(peer: KnownPeer): Promise<void> {
    this.#peers.set(peer.identity, { ...peer });
    return Promise.resolve();
  }

  peers(): Promise<KnownPeer[]> {
    const byTime = [...this.#peers.values()].sort(
      (left, right) => right.seenAt - left.seenAt || (left.identity < right.identity ? -1 : 1),
    );
    return Promise.resolve(byTime.slice(0, MAX_HISTORY_PAGE));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
