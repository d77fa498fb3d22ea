/**
 * Paying: seals an order, hands it to the hub, and waits for the own enclave's last word (PROTOCOL.md section 4).
 *
 * Invariant: `complete` is said only when the own enclave is DONE (or took APPLIED from the chain as final); the hub's
 * news can end the waiting only where the enclave agrees that nothing of the order is locked and gives the order up.
 */

import type { Bytes32, Identity, PaymentId } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import type { HubMessage } from '../enclave/core/wire.ts';
import type { EnclavePort } from './enclave-port.ts';
import { hopsOf, type PaymentBook } from './payment-book.ts';
import { codeOf, TerminalRefusal } from './refusal.ts';
import type { PayPhase, PayResult } from './terminal-types.ts';
import { type Deferred, deferred } from './waiting.ts';

type OrderUpdate = Extract<HubMessage, { kind: 'orderUpdate' }>;

export interface PayerPorts {
  enclave: EnclavePort;
  book: PaymentBook;
  submit(order: Order): void;
  /** Tells the hub to cancel what not everybody prepared. */
  giveUp(orderId: Bytes32): void;
  /** Unix milliseconds. */
  nowMs(): number;
}

interface Underway {
  order: Order;
  startedMs: number;
  phases: PayPhase[];
  handoverUrl: string | null;
  onPhase: ((phase: PayPhase) => void) | undefined;
  result: Deferred<PayResult>;
  /** The latest payment made for this order, as the own enclave saw it. */
  last: PaymentView | null;
  /** The hub's last reason for a failure. */
  reason: { code: string; message: string } | null;
  heard: boolean;
  /** The hub makes no further attempt. */
  failed: boolean;
  deadline: ReturnType<typeof setTimeout>;
}

export interface PayerRequest {
  payee: Identity;
  token: Order['token'];
  amount: bigint;
  maxFee: bigint;
  invoice: Bytes32;
  /** Unix seconds. */
  expiry: number;
  startedMs: number;
  /** Where the payee takes DONE evidence. */
  handoverUrl: string | null;
  onPhase: ((phase: PayPhase) => void) | undefined;
}

/** Between the order's expiry, after which nobody prepares it, and the end of the waiting. */
const GRACE_MS = 3_000;
/** Orders of one terminal that wait at once. */
const MAX_UNDERWAY = 4_096;

export class Payer {
  readonly #ports: PayerPorts;
  readonly #underway = new Map<Bytes32, Underway>();

  constructor(ports: PayerPorts) {
    this.#ports = ports;
  }

  async pay(request: PayerRequest): Promise<PayResult> {
    if (this.#underway.size >= MAX_UNDERWAY) {
      throw new TerminalRefusal({
        code: 'TOO_MANY_ORDERS',
        message: `${MAX_UNDERWAY} payments of this terminal are under way. Nothing was paid; pay again when some are over.`,
      });
    }
    const { startedMs, handoverUrl, onPhase, ...wish } = request;
    const { order } = await this.#ports.enclave.run({ kind: 'order', ...wish });
    this.#ports.book.noteOrder(order);
    const waitMs = order.expiry * 1_000 - this.#ports.nowMs() + GRACE_MS;
    const underway: Underway = {
      ...{ order, startedMs, handoverUrl, onPhase, phases: [], last: null, reason: null, heard: false, failed: false },
      result: deferred<PayResult>(),
      deadline: setTimeout(() => void this.#expire(order.orderId), Math.max(waitMs, 0)),
    };
    this.#underway.set(order.orderId, underway);
    this.#note(underway, { source: 'enclave', phase: 'ORDERED', ms: 0, paymentId: null });
    this.#ports.submit(order);
    return underway.result.promise;
  }

  /** The session stands again: the hub may never have got these, and answers with how they stand where it did. */
  resubmit(): void {
    for (const { order } of this.#underway.values()) this.#ports.submit(order);
  }

  handoverUrlOf(orderId: Bytes32): string | null {
    return this.#underway.get(orderId)?.handoverUrl ?? null;
  }

  /** The own enclave's word. */
  onPhase(payment: PaymentView): void {
    const underway = payment.orderId === null ? undefined : this.#underway.get(payment.orderId);
    if (!underway) return;
    underway.last = payment;
    const { phase, paymentId } = payment;
    this.#note(underway, { source: 'enclave', phase, ms: 0, paymentId });
    if (phase === 'DONE') this.#end(underway, 'complete', payment);
    if (phase === 'ABORTED' && underway.failed) void this.#failed(underway);
    if (phase !== 'RESOLVED') return;
    const isApplied = payment.transfers.some((transfer) => transfer.resolved === 'APPLIED');
    if (isApplied) this.#end(underway, 'complete', payment);
    else void this.#voided(underway, payment);
  }

  /** The hub's word: news for the owner, and a reason to ask the enclave. */
  onUpdate(update: OrderUpdate): void {
    const underway = this.#underway.get(update.orderId);
    if (!underway) return;
    const { state, attempt, paymentId, waitingFor, code, message } = update;
    underway.heard = true;
    underway.failed = state === 'failed';
    if (code !== '') underway.reason = { code, message };
    this.#note(underway, { source: 'hub', phase: state, ms: 0, paymentId, attempt, waitingFor, code, message });
    if (state === 'failed') void this.#failed(underway);
  }

  /** The terminal stops: the waiting ends, the payments do not. */
  stop(): void {
    for (const underway of [...this.#underway.values()]) {
      this.#refuse(underway, {
        code: 'STOPPED',
        message:
          'The terminal was stopped while this payment was under way. Start it again and look at the list of payments before paying again.',
      });
    }
  }

  #note(underway: Underway, phase: PayPhase): void {
    const timed = { ...phase, ms: this.#ports.nowMs() - underway.startedMs };
    underway.phases.push(timed);
    try {
      underway.onPhase?.(timed);
    } catch {
      // A screen that breaks does not break a payment.
    }
  }

  /** VOID frees the order: only when the enclave has given it up can the owner be told that it will not be paid. */
  async #voided(underway: Underway, payment: PaymentView): Promise<void> {
    if (await this.#release(underway)) this.#end(underway, 'void', payment);
  }

  async #failed(underway: Underway): Promise<void> {
    if (!(await this.#release(underway))) return;
    const { last } = underway;
    if (last?.phase === 'ABORTED') return this.#end(underway, 'aborted', last);
    const reason = underway.reason ?? { code: 'NO_ROUTE', message: 'The hub could not make this payment.' };
    this.#refuse(underway, reason);
  }

  /** Nobody prepares it any more: what is not locked now never will be. */
  async #expire(orderId: Bytes32): Promise<void> {
    const underway = this.#underway.get(orderId);
    if (!underway) return;
    this.#ports.giveUp(orderId);
    if (await this.#release(underway)) {
      const { last } = underway;
      if (last?.phase === 'ABORTED') return this.#end(underway, 'aborted', last);
      return this.#refuse(
        underway,
        underway.heard
          ? { code: 'EXPIRED', message: 'The order expired before it was prepared. Nothing was paid; pay again.' }
          : {
              code: 'HUB_UNREACHABLE',
              message: 'The hub did not answer before the order expired. Nothing was paid; try again when it is back.',
            },
      );
    }
    const paymentId = underway.last?.paymentId ?? ('' as PaymentId);
    this.#refuse(underway, {
      code: 'PAYMENT_PENDING',
      message: `The payment ${paymentId} is locked and not over: a participant or the hub does not answer. It may still complete, so do not pay again; wait, or have its outcome recorded on chain.`,
      facts: { paymentId, orderId },
    });
  }

  /** @returns true where the enclave gave the order up: then nothing of it is locked, and nothing can be any more */
  async #release(underway: Underway): Promise<boolean> {
    try {
      await this.#ports.enclave.run({ kind: 'cancelOrder', orderId: underway.order.orderId });
      return this.#underway.has(underway.order.orderId);
    } catch (error) {
      // Bound or paid: the enclave's own word follows.
      if (codeOf(error) === 'ORDER_IN_USE' || codeOf(error) === 'ORDER_PAID') return false;
      this.#refuse(underway, { code: codeOf(error) ?? 'STOPPED', message: (error as Error).message });
      return false;
    }
  }

  #end(underway: Underway, status: PayResult['status'], payment: PaymentView): void {
    if (!this.#forget(underway)) return;
    const { order, startedMs, phases, reason } = underway;
    underway.result.resolve({
      paymentId: payment.paymentId,
      orderId: order.orderId,
      status,
      amount: order.amount,
      fee: status === 'complete' ? payment.amount - order.amount : 0n,
      hops: hopsOf(payment),
      ms: this.#ports.nowMs() - startedMs,
      phases,
      reason: status === 'complete' ? null : reason,
    });
  }

  #refuse(underway: Underway, refusal: ConstructorParameters<typeof TerminalRefusal>[0]): void {
    if (this.#forget(underway)) underway.result.reject(new TerminalRefusal(refusal));
  }

  #forget(underway: Underway): boolean {
    clearTimeout(underway.deadline);
    return this.#underway.delete(underway.order.orderId);
  }
}
