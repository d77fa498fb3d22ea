/** The journal without a disk: for simulations and tests, with the same behaviour. */

import type { ChannelId } from '../../enclave/core/ids.ts';
import {
  type ChainProgress,
  type Journal,
  type KnownPeer,
  MAX_HISTORY_PAGE,
  type PaymentHistoryEntry,
  type PaymentSaved,
  type ReportedDeposit,
  type StoredCursor,
} from './journal.ts';

export class MemoryJournal implements Journal {
  readonly #payments = new Map<string, PaymentHistoryEntry>();
  readonly #deposits = new Map<string, ReportedDeposit>();
  readonly #peers = new Map<string, KnownPeer>();
  readonly #settlements = new Set<ChannelId>();
  #cursor: StoredCursor | null = null;
  #sequence = 0;

  savePayments(entries: readonly PaymentSaved[]): Promise<void> {
    for (const entry of entries) {
      const known = this.#payments.get(entry.key);
      if (!known) {
        this.#payments.set(entry.key, { ...entry, sequence: ++this.#sequence, createdAt: entry.updatedAt });
        continue;
      }
      this.#payments.set(entry.key, {
        ...known,
        phase: entry.phase,
        amount: entry.amount,
        fee: entry.fee ?? known.fee,
        payee: entry.payee ?? known.payee,
        description: entry.description === '' ? known.description : entry.description,
        updatedAt: entry.updatedAt,
      });
    }
    return Promise.resolve();
  }

  payments(page: { limit: number; before: number | null }): Promise<PaymentHistoryEntry[]> {
    const limit = Math.max(1, Math.min(page.limit, MAX_HISTORY_PAGE));
    const before = page.before ?? Number.MAX_SAFE_INTEGER;
    const entries = [...this.#payments.values()].filter((entry) => entry.sequence < before);
    return Promise.resolve(entries.sort((left, right) => right.sequence - left.sequence).slice(0, limit));
  }

  cursor(): Promise<StoredCursor | null> {
    return Promise.resolve(this.#cursor);
  }

  saveProgress(progress: ChainProgress): Promise<void> {
    for (const channelId of progress.settled) this.#settlements.add(channelId);
    for (const deposit of progress.deposits) this.#deposits.set(`${deposit.channelId} ${deposit.side}`, { ...deposit });
    this.#cursor = { ...progress.cursor };
    return Promise.resolve();
  }

  forgetCursor(): Promise<void> {
    this.#cursor = null;
    return Promise.resolve();
  }

  settlements(): Promise<ChannelId[]> {
    return Promise.resolve([...this.#settlements].sort());
  }

  deposits(): Promise<ReportedDeposit[]> {
    const keys = [...this.#deposits.keys()].sort();
    return Promise.resolve(keys.flatMap((key) => this.#deposits.get(key) ?? []));
  }

  savePeer(peer: KnownPeer): Promise<void> {
    this.#peers.set(peer.identity, { ...peer });
    return Promise.resolve();
  }

  peers(): Promise<KnownPeer[]> {
    const byTime = [...this.#peers.values()].sort(
      (left, right) => right.seenAt - left.seenAt || (left.identity < right.identity ? -1 : 1),
    );
    return Promise.resolve(byTime.slice(0, MAX_HISTORY_PAGE));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
