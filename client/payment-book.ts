/**
 * Every payment that the own enclave goes through, as it is seen: told once per phase, written into the journal, and
 * remembered until it is over. What the hub says never gets in here (PROTOCOL.md section 4, "When to deliver").
 */

import type { Outcome } from '../enclave/core/encoding.ts';
import type { Bytes32, ChannelId, Identity, PaymentId } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import type { EnclavePort } from './enclave-port.ts';
import type { Journal, PaymentSaved } from './journal/journal.ts';

export interface PaymentBookPorts {
  enclave: EnclavePort;
  journal: Journal;
  /** Unix milliseconds. */
  nowMs(): number;
  onPhase(payment: PaymentView): void;
  /** Something is in the journal that was not before. */
  onSaved(): void;
  onTrouble(error: unknown): void;
}

/** Payments that are over, kept so that a repeated answer is not told again. */
const MAX_OVER = 16_384;
const EVIDENCE_BYTES = 16;

export class PaymentBook {
  readonly #ports: PaymentBookPorts;
  readonly #pending = new Map<PaymentId, PaymentView>();
  readonly #over = new Set<PaymentId>();
  readonly #orders = new Map<Bytes32, Order>();
  /** Of invoices, by hash: for the history. */
  readonly #descriptions = new Map<Bytes32, string>();
  #unsaved: PaymentSaved[] = [];
  #saving: Promise<void> | null = null;

  constructor(ports: PaymentBookPorts) {
    this.#ports = ports;
  }

  /** Takes up what the enclave had pending when it was last stopped. */
  async restore(): Promise<void> {
    const [{ payments }, { orders }, { invoices }] = await Promise.all([
      this.#ports.enclave.run({ kind: 'listPayments' }),
      this.#ports.enclave.run({ kind: 'listOrders' }),
      this.#ports.enclave.run({ kind: 'listInvoices' }),
    ]);
    for (const { order } of orders) this.#orders.set(order.orderId, order);
    for (const { hash, invoice } of invoices) this.#descriptions.set(hash, invoice.description);
    for (const payment of payments) this.#pending.set(payment.paymentId, payment);
    await this.#catchUp();
  }

  /**
   * The process ended between an enclave's last word and the journal. Asked again about a payment that is over, an
   * enclave says how it ended, whatever evidence comes with the question.
   */
  async #catchUp(): Promise<void> {
    const evidence = new Uint8Array(EVIDENCE_BYTES);
    for (const { paymentId } of await this.#ports.journal.unfinished()) {
      if (paymentId === null || this.#pending.has(paymentId)) continue;
      const step = { kind: 'complete', paymentId, evidence } as const;
      const { about } = await this.#ports.enclave.run({ kind: 'step', step });
      if (about) this.see(about);
    }
  }

  noteOrder(order: Order): void {
    this.#orders.set(order.orderId, order);
  }

  noteDescription(hash: Bytes32, description: string): void {
    if (description !== '') this.#descriptions.set(hash, description);
  }

  /** Whether a payment of this order is locked in the enclave now. */
  isPending(orderId: Bytes32): boolean {
    return [...this.#pending.values()].some((payment) => payment.orderId === orderId);
  }

  /** What the enclave says of a payment now. Told on only where it is news. */
  see(payment: PaymentView): void {
    const { paymentId, phase } = payment;
    if (this.#over.has(paymentId) || this.#pending.get(paymentId)?.phase === phase) return;
    if (phase === 'PRE-UPDATE' || phase === 'POST-UPDATE') this.#pending.set(paymentId, payment);
    else this.#finish(paymentId);
    this.#save(this.#entryOf(payment));
    this.#ports.onPhase(payment);
    if (payment.orderId !== null && phase === 'DONE') this.#orders.delete(payment.orderId);
  }

  /** A peer's enclave, or the chain, ended one transfer. */
  resolved(resolution: { channelId: ChannelId; paymentId: PaymentId; outcome: Outcome }): void {
    const payment = this.#pending.get(resolution.paymentId);
    if (!payment) return;
    const transfers = payment.transfers.map((transfer) =>
      transfer.channelId === resolution.channelId ? { ...transfer, resolved: resolution.outcome } : transfer,
    );
    const isOver = transfers.every((transfer) => transfer.resolved !== null);
    const view: PaymentView = { ...payment, transfers };
    if (isOver) this.see({ ...view, phase: 'RESOLVED' });
    else this.#pending.set(payment.paymentId, view);
  }

  /** After something that may have ended payments on chain: those that the enclave dropped are over. */
  async refresh(outcomeOf: (paymentId: PaymentId) => Promise<Outcome | null>): Promise<void> {
    const { payments } = await this.#ports.enclave.run({ kind: 'listPayments' });
    const still = new Map(payments.map((payment) => [payment.paymentId, payment]));
    for (const [paymentId, payment] of this.#pending) {
      const now = still.get(paymentId);
      if (now) {
        this.#pending.set(paymentId, now);
        continue;
      }
      const outcome = await outcomeOf(paymentId);
      const transfers = payment.transfers.map((each) => ({ ...each, resolved: each.resolved ?? outcome }));
      this.see({ ...payment, transfers, phase: 'RESOLVED' });
    }
  }

  /** A direct payment: final at the payee when received, at the payer when acknowledged. */
  direct(payment: {
    channelId: ChannelId;
    sequence: number;
    amount: bigint;
    token: PaymentView['token'];
    phase: 'POST-UPDATE' | 'DONE';
    payer: Identity;
    payee: Identity;
    incoming: boolean;
  }): void {
    const { channelId, sequence, incoming, ...rest } = payment;
    this.#save({
      ...rest,
      kind: 'direct',
      key: `${channelId} ${incoming ? 'in' : 'out'} ${sequence}`,
      paymentId: null,
      channelId,
      role: incoming ? 'payee' : 'payer',
      outcome: null,
      fee: 0n,
      invoice: null,
      orderId: null,
      description: '',
      hops: 1,
      updatedAt: this.#ports.nowMs(),
    });
  }

  /** Resolves when all that was seen is in the journal. */
  async settle(): Promise<void> {
    await this.#saving;
  }

  #finish(paymentId: PaymentId): void {
    this.#pending.delete(paymentId);
    this.#over.add(paymentId);
    if (this.#over.size <= MAX_OVER) return;
    const [oldest] = this.#over;
    if (oldest !== undefined) this.#over.delete(oldest);
  }

  #entryOf(payment: PaymentView): PaymentSaved {
    const { paymentId, role, phase, token, amount, payer, payee, invoice, orderId } = payment;
    const order = orderId === null ? undefined : this.#orders.get(orderId);
    const fee = role === 'payer' ? (order ? amount - order.amount : null) : role === 'intermediary' ? amount : null;
    const isZero = /^0x0+$/.test(invoice);
    return {
      kind: 'round',
      key: paymentId,
      paymentId,
      channelId: null,
      ...{ role, phase, token, amount, fee, payer, payee, orderId },
      outcome: phase === 'RESOLVED' ? outcomeOf(payment) : null,
      invoice: isZero ? null : invoice,
      description: this.#descriptions.get(invoice) ?? '',
      hops: hopsOf(payment),
      updatedAt: this.#ports.nowMs(),
    };
  }

  /** All that is seen in one turn is one statement. */
  #save(entry: PaymentSaved): void {
    this.#unsaved.push(entry);
    this.#saving ??= this.#write();
  }

  async #write(): Promise<void> {
    await Promise.resolve();
    while (this.#unsaved.length > 0) {
      const entries = this.#unsaved;
      this.#unsaved = [];
      // History is not worth more than payments: what cannot be written is told and given up.
      await this.#ports.journal.savePayments(entries).catch((error: unknown) => this.#ports.onTrouble(error));
      this.#ports.onSaved();
    }
    this.#saving = null;
  }
}

/** All of a payment happens or nothing: what was applied on one channel was applied. */
function outcomeOf({ transfers }: PaymentView): Outcome | null {
  const outcomes = transfers.map((transfer) => transfer.resolved);
  return outcomes.includes('APPLIED') ? 'APPLIED' : outcomes.includes('VOID') ? 'VOID' : null;
}

/** Channels on a simple path. */
export const hopsOf = (payment: PaymentView): number => Math.max(1, payment.participants.length - 1);
