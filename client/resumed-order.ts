/**
 * An order whose payer stopped waiting: the terminal was stopped or killed, or the payment stayed locked past its expiry.
 * It is waited for again until the own enclave has its last word.
 *
 * Invariant: an order ends as refused only after the enclave has given it up; from then on nothing of it can be locked.
 */

import type { PaymentView } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import type { HubMessage } from '../enclave/core/wire.ts';
import type { EnclavePort } from './enclave-port.ts';
import type { Journal, OrderOutcome, PaymentHistoryEntry } from './journal/journal.ts';
import { hopsOf } from './payment-book.ts';
import { codeOf } from './refusal.ts';
import type { PayPhase } from './terminal-types.ts';
import { deferred } from './waiting.ts';

type OrderUpdate = Extract<HubMessage, { kind: 'orderUpdate' }>;

export interface ResumptionPorts {
  enclave: EnclavePort;
  journal: Journal;
  submit(order: Order): void;
  /** Unix milliseconds. */
  nowMs(): number;
  onPhase(phase: PayPhase): void;
}

/** Between the order's expiry, after which nobody prepares it, and the end of the waiting. */
const GRACE_MS = 3_000;
const MAX_DELAY_MS = 2 ** 31 - 1;

export class ResumedOrder {
  readonly order: Order;
  readonly #ports: ResumptionPorts;
  readonly #outcome = deferred<OrderOutcome>();
  readonly #begunMs: number;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #reason: { code: string; message: string } | null = null;

  constructor(order: Order, ports: ResumptionPorts) {
    this.order = order;
    this.#ports = ports;
    this.#begunMs = ports.nowMs();
  }

  /** How it ended. Rejects where the terminal stops before. */
  get outcome(): Promise<OrderOutcome> {
    return this.#outcome.promise;
  }

  /** Looks where the order stands, and hands it to the hub again where it may still be prepared. */
  async begin(): Promise<void> {
    const { orderId, expiry } = this.order;
    const { orders } = await this.#ports.enclave.run({ kind: 'listOrders' });
    const known = orders.find((each) => each.order.orderId === orderId);
    if (known?.status === 'paid' || !known) return this.#conclude();
    if (known.status === 'bound') return;
    const leftMs = expiry * 1_000 - this.#ports.nowMs();
    if (leftMs <= 0) return this.giveUp(EXPIRED);
    this.#deadline = setTimeout(() => void this.giveUp(EXPIRED), Math.min(leftMs + GRACE_MS, MAX_DELAY_MS));
    this.#ports.submit(this.order);
  }

  /** The session stands again: the hub may never have got it. */
  resubmit(): void {
    if (this.order.expiry * 1_000 > this.#ports.nowMs()) this.#ports.submit(this.order);
  }

  onUpdate(update: OrderUpdate): void {
    const { state, attempt, paymentId, waitingFor, code, message } = update;
    this.#tell({ source: 'hub', phase: state, ms: 0, paymentId, attempt, waitingFor, code, message });
    if (code !== '') this.#reason = { code, message };
    if (state === 'failed') void this.giveUp(this.#reason ?? { code: 'NO_ROUTE', message: NO_ROUTE });
  }

  onPhase(payment: PaymentView): void {
    const { phase, paymentId } = payment;
    this.#tell({ source: 'enclave', phase, ms: 0, paymentId });
    if (phase === 'DONE') return this.#complete(payment);
    // Free again, and expired or given up by the hub: what happens next is decided as at the beginning.
    if (phase === 'ABORTED') void this.begin().catch((error: unknown) => this.stop(error));
    if (phase !== 'RESOLVED') return;
    if (payment.transfers.some((transfer) => transfer.resolved === 'APPLIED')) return this.#complete(payment);
    void this.giveUp({ code: 'VOID', message: 'The chain recorded the payment as void: nothing was paid.' });
  }

  /** Ends it as refused, where the enclave gives the order up; where a payment is bound to it, the waiting goes on. */
  async giveUp(reason: { code: string; message: string }): Promise<void> {
    clearTimeout(this.#deadline);
    const { orderId } = this.order;
    try {
      await this.#ports.enclave.run({ kind: 'cancelOrder', orderId });
      this.#outcome.resolve({ kind: 'refused', ...reason, facts: { orderId } });
    } catch (error) {
      if (codeOf(error) === 'ORDER_IN_USE') return;
      if (codeOf(error) === 'ORDER_PAID') return this.#conclude();
      this.stop(error);
    }
  }

  stop(error: unknown): void {
    clearTimeout(this.#deadline);
    this.#outcome.reject(error instanceof Error ? error : new Error(String(error)));
  }

  /** The enclave took the order as paid, or has forgotten it: the history says which. */
  async #conclude(): Promise<void> {
    const { journal } = this.#ports;
    const { orderId } = this.order;
    const found = (await journal.finalPayment({ orderId })) ?? (await this.#paidByEnclave());
    if (!found) return this.#outcome.resolve({ kind: 'refused', ...GIVEN_UP, facts: { orderId } });
    const { paymentId, fee, hops } = found;
    this.#resolve({ paymentId, fee: fee ?? 0n, hops });
  }

  /** Paid before the history was written: all that is missing then is what the way of it was. */
  async #paidByEnclave(): Promise<
    (Pick<PaymentHistoryEntry, 'fee' | 'hops'> & { paymentId: PaymentView['paymentId'] }) | null
  > {
    const { orders } = await this.#ports.enclave.run({ kind: 'listOrders' });
    const known = orders.find((each) => each.order.orderId === this.order.orderId && each.status === 'paid');
    if (!known?.paymentId) return null;
    const seen = await this.#ports.journal.payment({ key: known.paymentId });
    return { paymentId: known.paymentId, fee: seen?.fee ?? 0n, hops: seen?.hops ?? 0 };
  }

  #complete(payment: PaymentView): void {
    const { paymentId, amount } = payment;
    this.#resolve({ paymentId, fee: amount - this.order.amount, hops: hopsOf(payment) });
  }

  #resolve(paid: { paymentId: PaymentView['paymentId'] | null; fee: bigint; hops: number }): void {
    clearTimeout(this.#deadline);
    if (paid.paymentId === null) return;
    const { orderId, amount } = this.order;
    const { paymentId, fee, hops } = paid;
    const ms = this.#ports.nowMs() - this.#begunMs;
    const result = { paymentId, orderId, amount, fee, hops, ms, phases: [], reason: null };
    this.#outcome.resolve({ kind: 'result', result: { ...result, status: 'complete' } });
  }

  #tell(phase: PayPhase): void {
    this.#ports.onPhase({ ...phase, ms: this.#ports.nowMs() - this.#begunMs });
  }
}

const EXPIRED = { code: 'EXPIRED', message: 'The order expired before it was prepared. Nothing was paid.' };
const GIVEN_UP = { code: 'GIVEN_UP', message: 'The order was given up. Nothing was paid.' };
const NO_ROUTE = 'The hub could not make this payment. Nothing was paid.';
