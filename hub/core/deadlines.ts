/**
 * When to look at a payment again: a timer wheel of slots. Time is given, never read.
 * Setting costs one append; a payment may stand in several slots, and whoever is called decides whether it is due.
 */

import type { PaymentId } from '../../enclave/core/ids.ts';

const SLOT_MS = 100;

export class Deadlines {
  readonly #slots = new Map<number, PaymentId[]>();
  #next: number;

  constructor(nowMs: number) {
    this.#next = Math.floor(nowMs / SLOT_MS);
  }

  set(paymentId: PaymentId, atMs: number): void {
    const slot = Math.max(Math.ceil(atMs / SLOT_MS), this.#next);
    const present = this.#slots.get(slot);
    if (present) present.push(paymentId);
    else this.#slots.set(slot, [paymentId]);
  }

  /** Takes out everything whose time has come. */
  due(nowMs: number): PaymentId[] {
    const until = Math.floor(nowMs / SLOT_MS);
    const due: PaymentId[] = [];
    // After a leap of the clock it is cheaper to look at the slots that exist.
    const isLeap = until - this.#next > this.#slots.size;
    const slots = isLeap
      ? [...this.#slots.keys()].filter((slot) => slot <= until).sort((left, right) => left - right)
      : Array.from({ length: Math.max(0, until - this.#next + 1) }, (_, index) => this.#next + index);
    for (const slot of slots) {
      for (const paymentId of this.#slots.get(slot) ?? []) due.push(paymentId);
      this.#slots.delete(slot);
    }
    this.#next = Math.max(this.#next, until + 1);
    return due;
  }
}
