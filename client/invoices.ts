/**
 * A merchant's invoices: make, list, wait for, cancel (PROTOCOL.md section 4, "What an owner allowed").
 *
 * Invariant: an invoice is called paid only where the own enclave has consumed it, never on the hub's word.
 */

import type { TypeOf } from '../enclave/core/codec.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import { type Address, type Bytes32, NATIVE, type PaymentId } from '../enclave/core/ids.ts';
import type { invoiceViewCodec, PaymentView } from '../enclave/core/interface.ts';
import { requireAmount } from './channels.ts';
import type { EnclavePort } from './enclave-port.ts';
import { encodeInvoice } from './invoice-text.ts';
import type { InvoiceEntry, Journal } from './journal/journal.ts';
import { asRefusal, TerminalRefusal } from './refusal.ts';
import type { InvoiceRequest, InvoiceText } from './terminal-types.ts';

export interface InvoicesPorts {
  enclave: EnclavePort;
  journal: Journal;
  deployment: Deployment;
  /** Where payers hand DONE evidence over. */
  handoverUrl: string | null;
  noteDescription(hash: Bytes32, description: string): void;
  /** What peers have on their sides. */
  receivable(token: Address): Promise<bigint>;
  /** Unix milliseconds. */
  nowMs(): number;
  /** Aborts when the terminal stops. */
  stopping: AbortSignal;
}

/** `locked`: a payment of it is under way. */
export type InvoiceStatus = 'open' | 'locked' | 'paid' | 'expired' | 'cancelled';

export interface InvoiceState extends InvoiceEntry {
  status: InvoiceStatus;
  /** Where it is locked or paid. */
  paymentId: PaymentId | null;
}

type Sealed = TypeOf<typeof invoiceViewCodec>;

const LIFE_S = 3_600;
const MAX_ORDER_NUMBER_BYTES = 64;
/** An expiry further away is looked at again after this. */
const MAX_WAIT_MS = 3_600_000;

export class Invoices {
  readonly #ports: InvoicesPorts;
  readonly #waiting = new Map<Bytes32, Set<() => void>>();
  /** One at a time: an order number is looked up before it is taken. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(ports: InvoicesPorts) {
    this.#ports = ports;
  }

  /** @throws TerminalRefusal AMOUNT_OUT_OF_RANGE, ORDER_NUMBER_IN_USE, and what the enclave refuses */
  make(request: InvoiceRequest): Promise<InvoiceText> {
    const made = this.#turn.then(() => this.#make(request));
    this.#turn = made.catch(() => undefined);
    return made.catch(refuse);
  }

  /** Newest first; `before` is the sequence of the last one of the page before. */
  async list(page: { limit?: number; before?: number } = {}): Promise<InvoiceState[]> {
    const { limit = 50, before = null } = page;
    const [entries, sealed] = await Promise.all([
      this.#ports.journal.invoices({ limit, before }),
      this.#sealed(),
    ]).catch(refuse);
    return Promise.all(entries.map((entry) => this.#judge(entry, sealed.get(entry.hash))));
  }

  /** @throws TerminalRefusal UNKNOWN_INVOICE */
  async find(by: { hash: Bytes32 } | { orderNumber: string }): Promise<InvoiceState> {
    const [entry, sealed] = await Promise.all([this.#ports.journal.invoice(by), this.#sealed()]).catch(refuse);
    if (entry) return this.#judge(entry, sealed.get(entry.hash));
    const which = 'hash' in by ? by.hash : `with the order number ${JSON.stringify(by.orderNumber)}`;
    throw new TerminalRefusal({
      code: 'UNKNOWN_INVOICE',
      message: `This terminal made no invoice ${which}. Look at its list of invoices.`,
    });
  }

  /** Resolves when it is paid, expired or cancelled. @throws TerminalRefusal UNKNOWN_INVOICE, STOPPED */
  async ended(by: { hash: Bytes32 }, signal: AbortSignal): Promise<InvoiceState> {
    const stop = AbortSignal.any([signal, this.#ports.stopping]);
    for (;;) {
      // Listens before it looks, so that nothing falls in between.
      const news = this.#news(by.hash, stop);
      const state = await this.find(by);
      if (state.status !== 'open' && state.status !== 'locked') return state;
      if (stop.aborted) throw new TerminalRefusal({ code: 'STOPPED', message: 'The terminal was stopped meanwhile.' });
      const leftMs = Math.max(0, (state.expiry + 1) * 1_000 - this.#ports.nowMs());
      const timer = setTimeout(
        () => this.#wake(by.hash),
        Math.min(state.status === 'open' ? leftMs : MAX_WAIT_MS, MAX_WAIT_MS),
      );
      await news;
      clearTimeout(timer);
    }
  }

  /** Withdraws it: nobody can pay it any more. @throws TerminalRefusal UNKNOWN_INVOICE, INVOICE_IN_USE, INVOICE_PAID */
  async cancel(by: { hash: Bytes32 } | { orderNumber: string }): Promise<InvoiceState> {
    const { hash, status } = await this.find(by);
    if (status === 'open' || status === 'locked' || status === 'paid') {
      await this.#ports.enclave.run({ kind: 'cancelInvoice', hash }).catch(refuse);
      await this.#ports.journal.markCancelled({ hash, at: this.#ports.nowMs() });
      this.#wake(hash);
    }
    return this.find({ hash });
  }

  /** The own enclave's word on a payment. */
  onPhase(payment: PaymentView): void {
    if (payment.role === 'payee') this.#wake(payment.invoice);
  }

  async #make(request: InvoiceRequest): Promise<InvoiceText> {
    const { amount, token = NATIVE, expiresInS = LIFE_S, description = '', orderNumber = null } = request;
    requireAmount(amount, 'The amount of an invoice');
    if (orderNumber !== null) await this.#requireFree(orderNumber, request.again ?? false);
    const expiry = Math.floor(this.#ports.nowMs() / 1_000) + expiresInS;
    const { hash, signed } = await this.#ports.enclave.run({ kind: 'invoice', token, amount, expiry, description });
    this.#ports.noteDescription(hash, description);
    const { deployment, handoverUrl } = this.#ports;
    const { chainId, contract } = deployment;
    const text = encodeInvoice({ chainId, contract, signed, handoverUrl });
    const { cashier = null } = request;
    const entry = { hash, text, token, amount, expiry, description, orderNumber, cashier };
    await this.#ports.journal.saveInvoice({ ...entry, createdAt: this.#ports.nowMs() });
    return { text, hash, amount, expiry, orderNumber, receivable: await this.#ports.receivable(token) };
  }

  async #requireFree(orderNumber: string, isMeant: boolean): Promise<void> {
    const bytes = new TextEncoder().encode(orderNumber).length;
    if (bytes < 1 || bytes > MAX_ORDER_NUMBER_BYTES) {
      throw new TerminalRefusal({
        code: 'ORDER_NUMBER_TOO_LONG',
        message: `An order number has 1 to ${MAX_ORDER_NUMBER_BYTES} bytes of UTF-8, not ${bytes}. No invoice was made; use a shorter one.`,
      });
    }
    const known = isMeant ? null : await this.#ports.journal.invoice({ orderNumber });
    if (!known) return;
    const { status, hash } = await this.find({ hash: known.hash });
    throw new TerminalRefusal({
      code: 'ORDER_NUMBER_IN_USE',
      message: `There is an invoice with the order number ${JSON.stringify(orderNumber)} already; it is ${status}. No invoice was made; use another number, or say that a second one is meant (--again).`,
      facts: { hash, status },
    });
  }

  async #sealed(): Promise<Map<Bytes32, Sealed>> {
    const { invoices } = await this.#ports.enclave.run({ kind: 'listInvoices' });
    return new Map(invoices.map((each) => [each.hash, each]));
  }

  async #judge(entry: InvoiceEntry, sealed: Sealed | undefined): Promise<InvoiceState> {
    const isExpired = entry.expiry * 1_000 <= this.#ports.nowMs();
    if (!sealed) {
      // Cancelled, or forgotten long after it expired.
      const paid = await this.#ports.journal.finalPayment({ invoice: entry.hash });
      if (paid) return { ...entry, status: 'paid', paymentId: paid.paymentId };
      return { ...entry, status: entry.cancelledAt === null && isExpired ? 'expired' : 'cancelled', paymentId: null };
    }
    const { status, paymentId } = sealed;
    if (status === 'paid') return { ...entry, status, paymentId };
    if (status === 'bound') return { ...entry, status: 'locked', paymentId };
    return { ...entry, status: isExpired ? 'expired' : 'open', paymentId: null };
  }

  #news(hash: Bytes32, stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(hash) ?? new Set();
      this.#waiting.set(hash, waiting);
      const wake = (): void => {
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(hash);
        stop.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      stop.addEventListener('abort', wake);
    });
  }

  #wake(hash: Bytes32): void {
    for (const wake of [...(this.#waiting.get(hash) ?? [])]) wake();
  }
}

function refuse(error: unknown): never {
  throw asRefusal(error, 'STOPPED');
}
