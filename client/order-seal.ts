/**
 * Writes an order down between its sealing and its leaving: the enclave's commands pass through here on their way from
 * the payer, and an order that is to be kept comes back only when it is durable. One that cannot be written down never
 * leaves, so nobody can prepare it.
 */

import type { Command, Result } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import type { CommandKind, ResultOf } from '../enclave/host/enclave.ts';
import type { EnclavePort } from './enclave-port.ts';

export type KeepOrder = (order: Order) => Promise<void>;

export class OrderSeal implements EnclavePort {
  readonly #enclave: EnclavePort;
  #keep: KeepOrder | null = null;

  constructor(enclave: EnclavePort) {
    this.#enclave = enclave;
  }

  /** @param work asks for its order in its first turn, before it waits for anything */
  keeping<T>(keep: KeepOrder, work: () => Promise<T>): Promise<T> {
    this.#keep = keep;
    try {
      return work();
    } finally {
      this.#keep = null;
    }
  }

  async run<K extends CommandKind>(command: Extract<Command, { kind: K }>): Promise<ResultOf<K>> {
    const keep = command.kind === 'order' ? this.#keep : null;
    const result = await this.#enclave.run(command);
    if (keep) await this.#write(keep, result);
    return result;
  }

  async #write(keep: KeepOrder, result: Result): Promise<void> {
    if (result.kind !== 'order') return;
    const { order } = result;
    try {
      await keep(order);
    } catch (error) {
      await this.#enclave.run({ kind: 'cancelOrder', orderId: order.orderId }).catch(() => undefined);
      throw error;
    }
  }
}
