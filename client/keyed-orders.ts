/**
 * Orders that their owner may repeat: the same key is paid once, whatever happens in between.
 *
 * Invariants: an order is in the journal, under its key, before anybody else can have it; an outcome is stored only when
 * it is the last word; while there is none, a repeated call waits for the first one. A call that was refused before an
 * order was sealed leaves its key free.
 */

import type { Bytes32, PaymentId } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import type { HubMessage } from '../enclave/core/wire.ts';
import type { EnclavePort } from './enclave-port.ts';
import type { Journal, OrderEntry, OrderOutcome } from './journal/journal.ts';
import type { KeepOrder } from './order-seal.ts';
import { codeOf, messageOf, TerminalRefusal } from './refusal.ts';
import { ResumedOrder } from './resumed-order.ts';
import type { PayPhase, PayResult } from './terminal-types.ts';

type OnPhase = (phase: PayPhase) => void;

export interface KeyedOrdersPorts {
  enclave: EnclavePort;
  journal: Journal;
  submit(order: Order): void;
  /** Unix milliseconds. */
  nowMs(): number;
  onTrouble(error: unknown): void;
}

export interface KeyedRequest {
  /** Null: not to be repeated, but kept for what it gives back. */
  key: string | null;
  /** What is asked for, in a fixed form. */
  parameters: string;
  refundOf: PaymentId | null;
  handoverUrl: string | null;
  onPhase: OnPhase | undefined;
  /** Makes and pays the order; `keep` is called before it leaves. */
  start(keep: KeepOrder, onPhase: OnPhase): Promise<PayResult>;
}

interface Running {
  parameters: string;
  phases: PayPhase[];
  listeners: Set<OnPhase>;
  promise: Promise<PayResult>;
}

export const MAX_KEY_LENGTH = 128;

export class KeyedOrders {
  readonly #ports: KeyedOrdersPorts;
  readonly #running = new Map<string, Running>();
  readonly #resumed = new Map<Bytes32, ResumedOrder>();
  readonly #handovers = new Map<Bytes32, string>();

  constructor(ports: KeyedOrdersPorts) {
    this.#ports = ports;
  }

  /** Of an order that is waited for again. */
  handoverUrlOf(orderId: Bytes32): string | null {
    return this.#handovers.get(orderId) ?? null;
  }

  /** Takes up what was under way when the terminal was last stopped. */
  async restore(): Promise<void> {
    for (const entry of await this.#ports.journal.openOrders()) this.#resumeAlone(entry);
  }

  /** @throws TerminalRefusal KEY_IN_USE, and whatever the first call was refused with */
  pay(request: KeyedRequest): Promise<PayResult> {
    const { key, parameters, onPhase } = request;
    const known = key === null ? undefined : this.#running.get(key);
    if (known) {
      if (known.parameters !== parameters) return Promise.reject(keyInUse(key ?? ''));
      if (onPhase) for (const phase of known.phases) onPhase(phase);
      if (onPhase) known.listeners.add(onPhase);
      return known.promise;
    }
    return this.#run(key, { parameters, onPhase }, (tell) => this.#begin(request, tell));
  }

  /** Orders under way that give something back of this payment; those that came to an end are in the history. */
  async refundsUnderWay(paymentId: PaymentId): Promise<OrderEntry[]> {
    const open = await this.#ports.journal.openOrders();
    return open.filter((entry) => entry.refundOf === paymentId);
  }

  onUpdate(update: Extract<HubMessage, { kind: 'orderUpdate' }>): void {
    this.#resumed.get(update.orderId)?.onUpdate(update);
  }

  onPhase(payment: PaymentView): void {
    if (payment.orderId !== null) this.#resumed.get(payment.orderId)?.onPhase(payment);
  }

  /** The session stands again. */
  resubmit(): void {
    for (const resumed of this.#resumed.values()) resumed.resubmit();
  }

  stop(): void {
    for (const resumed of this.#resumed.values()) resumed.stop(stopped());
  }

  #run(
    key: string | null,
    about: { parameters: string; onPhase: OnPhase | undefined },
    work: (tell: OnPhase) => Promise<PayResult>,
  ): Promise<PayResult> {
    const phases: PayPhase[] = [];
    const listeners = new Set(about.onPhase ? [about.onPhase] : []);
    const promise = work((phase) => {
      phases.push(phase);
      for (const listener of listeners) listener(phase);
    });
    if (key === null) return promise;
    this.#running.set(key, { parameters: about.parameters, phases, listeners, promise });
    const over = (): void => {
      if (this.#running.get(key)?.promise === promise) this.#running.delete(key);
    };
    promise.then(over, over);
    return promise;
  }

  async #begin(request: KeyedRequest, tell: OnPhase): Promise<PayResult> {
    const { key, parameters, refundOf, handoverUrl } = request;
    const before = key === null ? null : await this.#ports.journal.order({ key });
    if (before) {
      if (before.parameters !== parameters) throw keyInUse(key ?? '');
      return settle(before.outcome ?? (await this.#resume(before, tell)));
    }
    const kept: OrderEntry[] = [];
    const keep = async (order: Order): Promise<void> => {
      const { orderId } = order;
      const createdAt = this.#ports.nowMs();
      const entry = { orderId, key, parameters, order, handoverUrl, refundOf, outcome: null, createdAt };
      await this.#ports.journal.saveOrder(entry);
      kept.push(entry);
    };
    try {
      const result = await request.start(keep, tell);
      await this.#save(result.orderId, { kind: 'result', result: { ...result, phases: [] } });
      return result;
    } catch (error) {
      for (const entry of kept) await this.#afterFailure(entry, error);
      throw error;
    }
  }

  /** Where the payer stopped waiting, or was stopped, the order did not end: it is waited for again. */
  async #afterFailure(entry: OrderEntry, error: unknown): Promise<void> {
    const code = codeOf(error) ?? 'STOPPED';
    if (code === 'PAYMENT_PENDING') return this.#resumeAlone(entry);
    if (code === 'STOPPED' || !(error instanceof TerminalRefusal)) return;
    await this.#save(entry.orderId, { kind: 'refused', code, message: messageOf(error), facts: { ...error.facts } });
  }

  /** Nobody waits for it at the moment. */
  #resumeAlone(entry: OrderEntry): void {
    const { key, parameters } = entry;
    // A turn later: the call that gave up is still known under this key.
    queueMicrotask(() => {
      const work = (tell: OnPhase): Promise<PayResult> => this.#resume(entry, tell).then(settle);
      this.#run(key, { parameters, onPhase: undefined }, work).catch((error: unknown) => {
        if (!(error instanceof TerminalRefusal)) this.#ports.onTrouble(error);
      });
    });
  }

  async #resume(entry: OrderEntry, onPhase: OnPhase): Promise<OrderOutcome> {
    const { orderId, order, handoverUrl } = entry;
    const resumed = new ResumedOrder(order, { ...this.#ports, onPhase });
    this.#resumed.set(orderId, resumed);
    if (handoverUrl !== null) this.#handovers.set(orderId, handoverUrl);
    try {
      await resumed.begin();
      const outcome = await resumed.outcome;
      await this.#save(orderId, outcome);
      return outcome;
    } finally {
      this.#resumed.delete(orderId);
      this.#handovers.delete(orderId);
    }
  }

  #save(orderId: Bytes32, outcome: OrderOutcome): Promise<void> {
    return this.#ports.journal.saveOutcome({ orderId, outcome });
  }
}

function settle(outcome: OrderOutcome): PayResult {
  if (outcome.kind === 'result') return outcome.result;
  const { code, message, facts } = outcome;
  throw new TerminalRefusal({ code, message, facts });
}

const keyInUse = (key: string): TerminalRefusal =>
  new TerminalRefusal({
    code: 'KEY_IN_USE',
    message: `The idempotency key ${JSON.stringify(key)} stands for another payment already. Nothing was paid now; repeat exactly what was asked for first, or use a new key.`,
    facts: { key },
  });

const stopped = (): TerminalRefusal =>
  new TerminalRefusal({
    code: 'STOPPED',
    message:
      'The terminal was stopped while this payment was under way. Start it again, and repeat this with the same key.',
  });
