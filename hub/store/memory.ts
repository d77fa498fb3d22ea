/** A store that forgets when the process ends: for tests and simulations. */

import type { ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import {
  type ChainCursor,
  type ChannelRecord,
  isUnfinished,
  type PaymentRecord,
  type Snapshot,
  type StoreWrite,
  type TerminalRecord,
} from '../core/records.ts';
import { type HubStore, type LoggedPayment, StoreError } from './store.ts';

export class MemoryStore implements HubStore {
  readonly #channels = new Map<ChannelId, ChannelRecord & { settled: boolean }>();
  readonly #terminals = new Map<Identity, TerminalRecord>();
  readonly #payments = new Map<PaymentId, LoggedPayment>();
  #cursor: ChainCursor | null = null;
  #sequence = 0;

  load(nowMs: number): Promise<Snapshot> {
    const isWanted = (each: LoggedPayment): boolean => isUnfinished(each.state) || each.order.expiry * 1000 >= nowMs;
    return Promise.resolve({
      channels: [...this.#channels.values()]
        .filter((each) => !each.settled)
        .map(({ channelId, identity, depositA, depositB }) => ({ channelId, identity, depositA, depositB })),
      terminals: [...this.#terminals.values()],
      payments: [...this.#payments.values()].filter(isWanted).map(withoutSequence),
      cursor: this.#cursor,
    });
  }

  commit(writes: readonly StoreWrite[]): Promise<void> {
    try {
      for (const write of writes) this.#take(write);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(write: StoreWrite): void {
    switch (write.kind) {
      case 'channelOpened': {
        const { channelId, identity } = write;
        if (this.#channels.has(channelId)) return;
        this.#channels.set(channelId, { channelId, identity, depositA: 0n, depositB: 0n, settled: false });
        return;
      }
      case 'deposited': {
        const channel = this.#channels.get(write.channelId);
        const total = write.side === 'A' ? { depositA: write.total } : { depositB: write.total };
        if (channel) this.#channels.set(write.channelId, { ...channel, ...total });
        return;
      }
      case 'channelSettled': {
        const channel = this.#channels.get(write.channelId);
        if (channel) this.#channels.set(write.channelId, { ...channel, settled: true });
        return;
      }
      case 'chainRead':
        this.#cursor = write.cursor;
        return;
      case 'terminalKnown':
        this.#terminals.set(write.terminal.introduction.credential.identity, write.terminal);
        return;
      case 'paymentBegun': {
        const { paymentId } = write.payment;
        if (!this.#payments.has(paymentId))
          this.#payments.set(paymentId, { ...write.payment, sequence: ++this.#sequence });
        return;
      }
      case 'paymentMoved': {
        const payment = this.#payments.get(write.progress.paymentId);
        if (!payment)
          throw new StoreError('FAILED', 'A payment moved that is not in the log. Report this as a defect.');
        this.#payments.set(payment.paymentId, { ...payment, ...write.progress });
        return;
      }
    }
  }

  payments({ limit, before }: { limit: number; before: number | null }): Promise<LoggedPayment[]> {
    const older = [...this.#payments.values()].filter((each) => before === null || each.sequence < before);
    return Promise.resolve(older.reverse().slice(0, limit));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function withoutSequence(logged: LoggedPayment): PaymentRecord {
  const { sequence: _, ...payment } = logged;
  return payment;
}
