/**
 * What an owner does with money: pay it, give it back, take and give proof of it (PROTOCOL.md section 4).
 * What can be refused without the hub is refused here, before an order is sealed.
 */

import type { Deployment } from '../enclave/core/credential.ts';
import { type Address, type Identity, NATIVE, type PaymentId, ZERO_32 } from '../enclave/core/ids.ts';
import type { ChannelView, PaymentView } from '../enclave/core/interface.ts';
import type { StepAnswer } from '../enclave/core/round-messages.ts';
import { requireAmount } from './channels.ts';
import type { EnclavePort } from './enclave-port.ts';
import { composeHandover, deliverHandover, parseHandover } from './handover.ts';
import { decodeInvoice, requireUnexpired } from './invoice-text.ts';
import type { Journal } from './journal/journal.ts';
import { type KeyedOrders, MAX_KEY_LENGTH } from './keyed-orders.ts';
import type { KeepOrder, OrderSeal } from './order-seal.ts';
import type { Payer } from './payer.ts';
import type { PaymentBook } from './payment-book.ts';
import { Refunds } from './refunds.ts';
import { TerminalRefusal } from './refusal.ts';
import type { PayOptions, PayResult, PayTarget, RefundRequest } from './terminal-types.ts';

export interface CashierPorts {
  enclave: EnclavePort;
  book: PaymentBook;
  payer: Payer;
  orders: KeyedOrders;
  seal: OrderSeal;
  journal: Journal;
  deployment: Deployment;
  identity: Identity;
  channels(): Promise<ChannelView[]>;
  /** Resolves when the hub can be spoken to; rejects with HUB_UNREACHABLE. */
  online(): Promise<void>;
  onHandoverFailure(url: string, error: unknown): void;
  /** Aborts when the terminal stops. */
  stopping: AbortSignal;
  /** Unix milliseconds. */
  nowMs(): number;
}

const ORDER_LIFE_S = 60;
/** The fee that is allowed where the owner names none: 1 %, and at least this many base units. */
const LEAST_MAX_FEE = 1_000n;

export class Cashier {
  readonly #ports: CashierPorts;
  readonly #refunds: Refunds;

  constructor(ports: CashierPorts) {
    this.#ports = ports;
    this.#refunds = new Refunds(ports);
  }

  get #nowS(): number {
    return Math.floor(this.#ports.nowMs() / 1_000);
  }

  async pay(target: PayTarget, options: PayOptions): Promise<PayResult> {
    const { idempotencyKey: key, onPhase } = options;
    if (key === undefined) return this.#pay(target, options, null);
    requireKey(key);
    return this.#ports.orders.pay({
      ...{ key, refundOf: null, onPhase },
      parameters: parametersOf(target, options),
      handoverUrl: 'invoice' in target ? decodeInvoice(target.invoice, this.#ports.deployment).handoverUrl : null,
      start: (keep, tell) => this.#pay(target, { ...options, onPhase: tell }, keep),
    });
  }

  /** @throws TerminalRefusal UNKNOWN_PAYMENT, NOT_RECEIVED, ALREADY_REFUNDED, REFUND_TOO_LARGE, and as `pay` */
  async refund(request: RefundRequest, options: PayOptions): Promise<PayResult> {
    const { idempotencyKey: key = null, onPhase } = options;
    if (key !== null) requireKey(key);
    const { paymentId, amount } = request;
    return this.#ports.orders.pay({
      ...{ key, refundOf: paymentId, onPhase, handoverUrl: null },
      parameters: JSON.stringify({ refund: paymentId, amount: amount?.toString() ?? null }),
      start: (keep, tell) =>
        this.#refunds.during(request, (target) => this.#pay(target, { ...options, onPhase: tell }, keep)),
    });
  }

  /** @param keep called with the order before it leaves */
  async #pay(target: PayTarget, options: PayOptions, keep: KeepOrder | null): Promise<PayResult> {
    const startedMs = this.#ports.nowMs();
    const wish = this.#wishOf(target);
    const { payee, token, amount } = wish;
    requireAmount(amount, 'A payment');
    await this.#requireBalance(token, amount);
    await this.#ports.online();
    const least = amount / 100n;
    const request = {
      ...{ payee, token, amount, startedMs, invoice: wish.hash, handoverUrl: wish.handoverUrl },
      maxFee: options.maxFee ?? (least > LEAST_MAX_FEE ? least : LEAST_MAX_FEE),
      expiry: Math.min(this.#nowS + (options.expiresInS ?? ORDER_LIFE_S), wish.expiry),
      onPhase: options.onPhase,
    };
    const pay = (): Promise<PayResult> => this.#ports.payer.pay(request);
    return keep ? this.#ports.seal.keeping(keep, pay) : pay();
  }

  #wishOf(target: PayTarget) {
    if (!('invoice' in target)) {
      const { payee, amount, token = NATIVE } = target;
      return { payee, amount, token, hash: ZERO_32, handoverUrl: null, expiry: Number.MAX_SAFE_INTEGER };
    }
    const { hash, invoice, handoverUrl } = decodeInvoice(target.invoice, this.#ports.deployment);
    requireUnexpired(invoice, this.#nowS);
    this.#ports.book.noteDescription(hash, invoice.description);
    return { ...invoice, hash, handoverUrl };
  }

  /** What no hub can route need not be asked for. */
  async #requireBalance(token: Address, amount: bigint): Promise<void> {
    const views = await this.#ports.channels();
    const usable = views.filter((view) => view.channel.token === token && view.agreed && !view.settled);
    const spendable = usable.reduce((sum, view) => sum + (view.exitSigned ? 0n : view.spendable), 0n);
    if (spendable >= amount) return;
    throw new TerminalRefusal({
      code: 'NOT_ENOUGH_BALANCE',
      message: `${amount} base units are to be paid, ${spendable} can be spent over this terminal's channels. Nothing was paid; pay less, deposit more, or wait for pending payments.`,
      facts: { amount: amount.toString(), spendable: spendable.toString() },
    });
  }

  async acceptHandover(bytes: Uint8Array): Promise<{ paymentId: PaymentId; phase: PaymentView['phase'] }> {
    const step = parseHandover(bytes);
    const { answer, about } = await this.#ports.enclave.run({ kind: 'step', step });
    if (about) this.#ports.book.see(about);
    if (answer.kind === 'completed' && about) return { paymentId: about.paymentId, phase: about.phase };
    const reason = answer.kind === 'failed' ? answer : { code: 'WRONG_PHASE', message: `It is ${answer.kind} here.` };
    throw new TerminalRefusal({
      code: reason.code,
      message: `The proof of payment ${step.paymentId} changes nothing here: ${reason.message}`,
      facts: { paymentId: step.paymentId },
    });
  }

  /** Beside everything else: the payment is complete whether this succeeds or not. */
  handOver(answer: StepAnswer, payment: PaymentView): void {
    const { orderId } = payment;
    const { payer, orders } = this.#ports;
    const url = orderId === null ? null : (payer.handoverUrlOf(orderId) ?? orders.handoverUrlOf(orderId));
    const step = url === null ? null : composeHandover(answer, payment, this.#ports.identity);
    if (url === null || !step) return;
    void deliverHandover(url, step, {
      signal: this.#ports.stopping,
      onFailure: (error) => this.#ports.onHandoverFailure(url, error),
    });
  }
}

/** What makes two calls the same wish. */
function parametersOf(target: PayTarget, { maxFee, expiresInS }: PayOptions): string {
  const limits = { maxFee: maxFee?.toString() ?? null, expiresInS: expiresInS ?? null };
  if ('invoice' in target) return JSON.stringify({ invoice: target.invoice.trim(), ...limits });
  const { payee, amount, token = NATIVE } = target;
  return JSON.stringify({ payee, amount: amount.toString(), token, ...limits });
}

/** @throws TerminalRefusal KEY_MALFORMED */
function requireKey(key: string): void {
  if (key.length >= 1 && key.length <= MAX_KEY_LENGTH) return;
  throw new TerminalRefusal({
    code: 'KEY_MALFORMED',
    message: `An idempotency key has 1 to ${MAX_KEY_LENGTH} characters, not ${key.length}. Nothing was paid; use another one.`,
  });
}
