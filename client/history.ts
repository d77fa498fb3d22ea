/** What became of every payment, for whoever lists, follows or looks at one. */

import type { Identity, PaymentId } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import type { HubMessage } from '../enclave/core/wire.ts';
import type { EnclavePort } from './enclave-port.ts';
import type { Journal, PaymentHistoryEntry } from './journal/journal.ts';
import { asRefusal, TerminalRefusal } from './refusal.ts';

type OrderUpdate = Extract<HubMessage, { kind: 'orderUpdate' }>;

export interface HistoryPorts {
  identity: Identity;
  enclave: EnclavePort;
  journal: Journal;
  /** Resolves when all that was seen is in the journal. */
  settle(): Promise<void>;
}

/** A payment with what can be said of it now. */
export interface PaymentDetail {
  entry: PaymentHistoryEntry;
  /** While it is locked: as the own enclave has it. */
  pending: PaymentView | null;
  /** Who else had not answered the present step when the hub last told the payer; null where it told nothing. */
  waitingFor: Identity[] | null;
  refunds: PaymentHistoryEntry[];
}

/** Payments of which the hub's last news are remembered. */
const MAX_NEWS = 1_024;
const MAX_FOLLOW_PAGE = 200;

export class History {
  readonly #ports: HistoryPorts;
  readonly #waitingFor = new Map<PaymentId, Identity[]>();
  readonly #followers = new Set<() => void>();

  constructor(ports: HistoryPorts) {
    this.#ports = ports;
  }

  /** Something was written. */
  onSaved(): void {
    for (const wake of [...this.#followers]) wake();
  }

  onUpdate({ paymentId, waitingFor }: OrderUpdate): void {
    if (paymentId === null) return;
    this.#waitingFor.delete(paymentId);
    this.#waitingFor.set(paymentId, waitingFor);
    const [oldest] = this.#waitingFor.keys();
    if (this.#waitingFor.size > MAX_NEWS && oldest) this.#waitingFor.delete(oldest);
  }

  /** Oldest change first: each payment once, as it is now. */
  async changes(page: { after: number; limit?: number }): Promise<PaymentHistoryEntry[]> {
    await this.#ports.settle();
    return this.#ports.journal.changes({ after: page.after, limit: page.limit ?? MAX_FOLLOW_PAGE }).catch(refuse);
  }

  /** The latest change: whoever follows from here gets what comes. 0 where there is none. */
  async newest(): Promise<number> {
    await this.#ports.settle();
    return this.#ports.journal.newestRevision().catch(refuse);
  }

  /** Every change after `after`, as it happens, until the signal ends it. */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<PaymentHistoryEntry> {
    let cursor = after;
    while (!signal.aborted) {
      // Listens before it looks, so that nothing falls in between.
      const news = this.#news(signal);
      const entries = await this.changes({ after: cursor });
      for (const entry of entries) {
        cursor = entry.revision;
        yield entry;
      }
      if (entries.length === 0) await news;
    }
  }

  /** @throws TerminalRefusal UNKNOWN_PAYMENT */
  async find(by: { key: string } | { sequence: number }): Promise<PaymentDetail> {
    await this.#ports.settle();
    const { enclave, journal } = this.#ports;
    const [entry, { payments }] = await Promise.all([journal.payment(by), enclave.run({ kind: 'listPayments' })]).catch(
      refuse,
    );
    if (!entry) {
      const which = 'key' in by ? by.key : `number ${by.sequence}`;
      throw new TerminalRefusal({
        code: 'UNKNOWN_PAYMENT',
        message: `This terminal knows no payment ${which}. Look at its list of payments.`,
      });
    }
    const { paymentId } = entry;
    const pending = payments.find((payment) => payment.paymentId === paymentId) ?? null;
    const told = paymentId === null || !pending ? undefined : this.#waitingFor.get(paymentId);
    const waitingFor = told?.filter((identity) => identity !== this.#ports.identity) ?? null;
    const refunds = paymentId === null ? [] : await journal.refundsOf(paymentId);
    return { entry, pending, waitingFor, refunds };
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#followers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#followers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}

function refuse(error: unknown): never {
  throw asRefusal(error, 'STOPPED');
}
