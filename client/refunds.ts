/**
 * Giving money back: a new payment to whoever paid, which names the payment that it refunds. What was received is never
 * given back twice: refunds under way count as given until they came to nothing.
 */

import type { PaymentId } from '../enclave/core/ids.ts';
import type { Journal, PaymentHistoryEntry } from './journal/journal.ts';
import type { KeyedOrders } from './keyed-orders.ts';
import type { PaymentBook } from './payment-book.ts';
import { TerminalRefusal } from './refusal.ts';
import type { PayResult, PayTarget, RefundRequest } from './terminal-types.ts';

export interface RefundsPorts {
  journal: Journal;
  orders: KeyedOrders;
  book: PaymentBook;
}

export class Refunds {
  readonly #ports: RefundsPorts;
  /** Payments of which a refund is being made here: what it takes is not written down yet. */
  readonly #making = new Set<PaymentId>();

  constructor(ports: RefundsPorts) {
    this.#ports = ports;
  }

  /** @throws TerminalRefusal UNKNOWN_PAYMENT, NOT_RECEIVED, ALREADY_REFUNDED, REFUND_TOO_LARGE, REFUND_UNDER_WAY */
  async during(request: RefundRequest, pay: (target: PayTarget) => Promise<PayResult>): Promise<PayResult> {
    const { paymentId } = request;
    if (this.#making.has(paymentId)) {
      throw refusal('REFUND_UNDER_WAY', `A refund of ${paymentId} is being made already. Wait until it is over.`);
    }
    this.#making.add(paymentId);
    try {
      return await pay(await this.#target(request));
    } finally {
      this.#making.delete(paymentId);
    }
  }

  async #target({ paymentId, amount }: RefundRequest): Promise<PayTarget> {
    await this.#ports.book.settle();
    const received = await this.#ports.journal.payment({ key: paymentId });
    if (!received) {
      throw refusal('UNKNOWN_PAYMENT', `This terminal knows no payment ${paymentId}. Look at its list of payments.`);
    }
    if (received.role !== 'payee' || !isFinal(received)) {
      const why = received.role === 'payee' ? `it is ${received.phase}` : `this terminal was its ${received.role}`;
      throw refusal('NOT_RECEIVED', `The payment ${paymentId} was not received here: ${why}. Nothing was paid.`);
    }
    const left = received.amount - (await this.#refunded(paymentId));
    if (left === 0n) {
      throw refusal('ALREADY_REFUNDED', `All of the payment ${paymentId} was given back already. Nothing was paid.`);
    }
    if (amount !== undefined && amount > left) {
      throw refusal(
        'REFUND_TOO_LARGE',
        `${amount} base units are to be given back, ${left} of the payment ${paymentId} are left. Nothing was paid; give back less, or pay the rest as a payment of its own.`,
      );
    }
    return { payee: received.payer, amount: amount ?? left, token: received.token };
  }

  /** Given back, and under way. */
  async #refunded(paymentId: PaymentId): Promise<bigint> {
    const [underWay, payments] = await Promise.all([
      this.#ports.orders.refundsUnderWay(paymentId),
      this.#ports.journal.refundsOf(paymentId),
    ]);
    const open = new Set(underWay.map((entry) => entry.orderId));
    const ended = payments.filter((each) => isFinal(each) && (each.orderId === null || !open.has(each.orderId)));
    const given = ended.reduce((sum, each) => sum + each.amount - (each.fee ?? 0n), 0n);
    return underWay.reduce((sum, entry) => sum + entry.order.amount, given);
  }
}

const isFinal = ({ phase, outcome }: PaymentHistoryEntry): boolean => phase === 'DONE' || outcome === 'APPLIED';

const refusal = (code: string, message: string): TerminalRefusal => new TerminalRefusal({ code, message });
