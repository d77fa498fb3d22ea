/** The journal in one SQLite file. A whole batch is one statement over JSON: a statement a row is far slower. */

import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import { Database, databaseRefusal } from '../database.ts';
import {
  type ChainProgress,
  type InvoiceEntry,
  type InvoiceSaved,
  type Journal,
  type KnownPeer,
  MAX_HISTORY_PAGE,
  type OrderEntry,
  type OrderOutcome,
  type PaymentHistoryEntry,
  type PaymentSaved,
  type ReportedDeposit,
  type StoredCursor,
} from './journal.ts';
import { migrate } from './migrations.ts';
import {
  type InvoiceRow,
  invoiceOf,
  type OrderRow,
  orderOf,
  orderToText,
  outcomeToText,
  type PaymentRow,
  paymentOf,
} from './rows.ts';

const SAVE_PAYMENTS = `
  insert into payments (sequence, revision, outcome, key, kind, payment_id, channel_id, role, phase, token, amount, fee, payer,
                        payee, invoice, order_id, description, hops, created_at, updated_at)
  select (select coalesce(max(sequence), 0) from payments) + json_each.key + 1,
         (select coalesce(max(revision), 0) from payments) + json_each.key + 1, value ->> 'outcome', value ->> 'key', value ->> 'kind', value ->> 'paymentId', value ->> 'channelId', value ->> 'role',
         value ->> 'phase', value ->> 'token', value ->> 'amount', value ->> 'fee', value ->> 'payer',
         value ->> 'payee', value ->> 'invoice', value ->> 'orderId', value ->> 'description', value ->> 'hops',
         value ->> 'updatedAt', value ->> 'updatedAt'
  from json_each(?) where true
  on conflict (key) do update set revision = excluded.revision, phase = excluded.phase, amount = excluded.amount,
    outcome = coalesce(excluded.outcome, outcome),
    fee = coalesce(excluded.fee, fee), payee = coalesce(excluded.payee, payee), updated_at = excluded.updated_at,
    description = case when excluded.description = '' then description else excluded.description end`;

/** With what only the invoice and the order know. */
const SELECT_PAYMENTS = `
  select payments.*, invoices.order_number, invoices.cashier, orders.refund_of from payments
  left join invoices on payments.role = 'payee' and invoices.hash = payments.invoice
  left join orders on orders.order_id = payments.order_id`;

const SAVE_DEPOSITS = `
  insert into deposits (channel_id, side, total)
  select value ->> 'channelId', value ->> 'side', value ->> 'total' from json_each(?) where true
  on conflict (channel_id, side) do update set total = excluded.total`;

const SAVE_SETTLED = 'insert or ignore into settlements (channel_id) select value from json_each(?)';

const SAVE_INVOICE = `
  insert into invoices (hash, text, token, amount, expiry, description, order_number, cashier, created_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const SAVE_ORDER = `
  insert into orders (order_id, key, parameters, content, handover_url, refund_of, outcome, created_at)
  values (?, ?, ?, ?, ?, ?, ?, ?)`;

const pageSize = (limit: number): number => Math.max(1, Math.min(limit, MAX_HISTORY_PAGE));

/** JSON has no bigint: money crosses as decimal text. */
const toJson = (rows: readonly object[]): string =>
  JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

export class SqliteJournal implements Journal {
  readonly #database: Database;
  readonly #file: string;
  /** One transaction at a time: they share a connection. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(database: Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  /** @throws TerminalRefusal DATA_CORRUPT, DISK_FULL */
  static async open(file: string): Promise<SqliteJournal> {
    let database: Database | null = null;
    try {
      database = await Database.open(file);
      await database.execute('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000;');
      await migrate(database, file);
      return new SqliteJournal(database, file);
    } catch (error) {
      await database?.close().catch(() => undefined);
      throw databaseRefusal(error, file);
    }
  }

  #work<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work).catch((error: unknown) => {
      throw databaseRefusal(error, this.#file);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  savePayments(entries: readonly PaymentSaved[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    return this.#work(() => this.#database.run(SAVE_PAYMENTS, [toJson(entries)]));
  }

  async payments(page: { limit: number; before: number | null }): Promise<PaymentHistoryEntry[]> {
    const limit = pageSize(page.limit);
    const rows = await this.#work(() =>
      this.#database.all<PaymentRow>(
        `${SELECT_PAYMENTS} where payments.sequence < ? order by payments.sequence desc limit ?`,
        [page.before ?? Number.MAX_SAFE_INTEGER, limit],
      ),
    );
    return rows.map(paymentOf);
  }

  async changes(page: { limit: number; after: number }): Promise<PaymentHistoryEntry[]> {
    const rows = await this.#work(() =>
      this.#database.all<PaymentRow>(
        `${SELECT_PAYMENTS} where payments.revision > ? order by payments.revision limit ?`,
        [page.after, pageSize(page.limit)],
      ),
    );
    return rows.map(paymentOf);
  }

  async newestRevision(): Promise<number> {
    const [row] = await this.#work(() =>
      this.#database.all<{ newest: number | null }>('select max(revision) as newest from payments'),
    );
    return row?.newest ?? 0;
  }

  async payment(by: { key: string } | { sequence: number }): Promise<PaymentHistoryEntry | null> {
    const [column, value] = 'key' in by ? ['key', by.key] : ['sequence', by.sequence];
    const [row] = await this.#work(() =>
      this.#database.all<PaymentRow>(`${SELECT_PAYMENTS} where payments.${column} = ?`, [value]),
    );
    return row ? paymentOf(row) : null;
  }

  async finalPayment(by: { invoice: Bytes32 } | { orderId: Bytes32 }): Promise<PaymentHistoryEntry | null> {
    const [where, value] =
      'invoice' in by
        ? [`payments.role = 'payee' and payments.invoice = ?`, by.invoice]
        : [`payments.role = 'payer' and payments.order_id = ?`, by.orderId];
    const [row] = await this.#work(() =>
      this.#database.all<PaymentRow>(
        `${SELECT_PAYMENTS} where ${where} and (payments.phase = 'DONE' or payments.outcome = 'APPLIED')`,
        [value],
      ),
    );
    return row ? paymentOf(row) : null;
  }

  async unfinished(): Promise<PaymentHistoryEntry[]> {
    const rows = await this.#work(() =>
      this.#database.all<PaymentRow>(
        `${SELECT_PAYMENTS} where payments.kind = 'round' and payments.phase in ('PRE-UPDATE', 'POST-UPDATE') limit ?`,
        [MAX_HISTORY_PAGE],
      ),
    );
    return rows.map(paymentOf);
  }

  async refundsOf(paymentId: PaymentId): Promise<PaymentHistoryEntry[]> {
    const rows = await this.#work(() =>
      this.#database.all<PaymentRow>(
        `${SELECT_PAYMENTS} where orders.refund_of = ? order by payments.sequence limit ?`,
        [paymentId, MAX_HISTORY_PAGE],
      ),
    );
    return rows.map(paymentOf);
  }

  saveInvoice(invoice: InvoiceSaved): Promise<void> {
    const { hash, text, token, amount, expiry, description, orderNumber, cashier, createdAt } = invoice;
    return this.#work(() =>
      this.#database.run(SAVE_INVOICE, [
        ...[hash, text, token, amount.toString(), expiry, description, orderNumber, cashier, createdAt],
      ]),
    );
  }

  markCancelled({ hash, at }: { hash: Bytes32; at: number }): Promise<void> {
    return this.#work(() => this.#database.run('update invoices set cancelled_at = ? where hash = ?', [at, hash]));
  }

  async invoice(by: { hash: Bytes32 } | { orderNumber: string }): Promise<InvoiceEntry | null> {
    const [column, value] = 'hash' in by ? ['hash', by.hash] : ['order_number', by.orderNumber];
    const [row] = await this.#work(() =>
      this.#database.all<InvoiceRow>(`select * from invoices where ${column} = ? order by sequence desc limit 1`, [
        value,
      ]),
    );
    return row ? invoiceOf(row) : null;
  }

  async invoices(page: { limit: number; before: number | null }): Promise<InvoiceEntry[]> {
    const rows = await this.#work(() =>
      this.#database.all<InvoiceRow>('select * from invoices where sequence < ? order by sequence desc limit ?', [
        page.before ?? Number.MAX_SAFE_INTEGER,
        pageSize(page.limit),
      ]),
    );
    return rows.map(invoiceOf);
  }

  saveOrder(entry: OrderEntry): Promise<void> {
    const { orderId, key, parameters, order, handoverUrl, refundOf, outcome, createdAt } = entry;
    const result = outcome === null ? null : outcomeToText(outcome);
    return this.#work(() =>
      this.#database.run(SAVE_ORDER, [
        ...[orderId, key, parameters, orderToText(order), handoverUrl, refundOf, result, createdAt],
      ]),
    );
  }

  saveOutcome({ orderId, outcome }: { orderId: Bytes32; outcome: OrderOutcome }): Promise<void> {
    const text = outcomeToText(outcome);
    return this.#work(() => this.#database.run('update orders set outcome = ? where order_id = ?', [text, orderId]));
  }

  async order(by: { key: string } | { orderId: Bytes32 }): Promise<OrderEntry | null> {
    const [column, value] = 'key' in by ? ['key', by.key] : ['order_id', by.orderId];
    const [row] = await this.#work(() =>
      this.#database.all<OrderRow>(`select * from orders where ${column} = ?`, [value]),
    );
    return row ? orderOf(row) : null;
  }

  async openOrders(): Promise<OrderEntry[]> {
    const rows = await this.#work(() =>
      this.#database.all<OrderRow>('select * from orders where outcome is null order by sequence'),
    );
    return rows.map(orderOf);
  }

  async cursor(): Promise<StoredCursor | null> {
    const [row] = await this.#work(() =>
      this.#database.all<{ block_number: number; block_hash: Bytes32; genesis_hash: Bytes32 }>('select * from cursor'),
    );
    return row ? { blockNumber: row.block_number, blockHash: row.block_hash, genesisHash: row.genesis_hash } : null;
  }

  saveProgress(progress: ChainProgress): Promise<void> {
    const { blockNumber, blockHash, genesisHash } = progress.cursor;
    return this.#work(async () => {
      await this.#database.execute('begin immediate');
      try {
        if (progress.deposits.length > 0) await this.#database.run(SAVE_DEPOSITS, [toJson(progress.deposits)]);
        if (progress.settled.length > 0) await this.#database.run(SAVE_SETTLED, [JSON.stringify(progress.settled)]);
        await this.#database.run('insert or replace into cursor values (1, ?, ?, ?)', [
          blockNumber,
          blockHash,
          genesisHash,
        ]);
        await this.#database.execute('commit');
      } catch (error) {
        await this.#database.execute('rollback').catch(() => undefined);
        throw error;
      }
    });
  }

  forgetCursor(): Promise<void> {
    return this.#work(() => this.#database.run('delete from cursor'));
  }

  async settlements(): Promise<ChannelId[]> {
    const rows = await this.#work(() =>
      this.#database.all<{ channel_id: ChannelId }>('select channel_id from settlements order by channel_id'),
    );
    return rows.map((row) => row.channel_id);
  }

  async deposits(): Promise<ReportedDeposit[]> {
    const rows = await this.#work(() =>
      this.#database.all<{ channel_id: ChannelId; side: 'A' | 'B'; total: string }>(
        'select * from deposits order by channel_id, side',
      ),
    );
    return rows.map((row) => ({ channelId: row.channel_id, side: row.side, total: BigInt(row.total) }));
  }

  savePeer(peer: KnownPeer): Promise<void> {
    const { identity, name, payout, seenAt } = peer;
    return this.#work(() =>
      this.#database.run('insert or replace into peers values (?, ?, ?, ?)', [identity, name, payout, seenAt]),
    );
  }

  async peers(): Promise<KnownPeer[]> {
    const rows = await this.#work(() =>
      this.#database.all<{ identity: Identity; name: string; payout: Address; seen_at: number }>(
        'select * from peers order by seen_at desc, identity limit ?',
        [MAX_HISTORY_PAGE],
      ),
    );
    return rows.map(({ seen_at, ...peer }) => ({ ...peer, seenAt: seen_at }));
  }

  async close(): Promise<void> {
    await this.#work(() => this.#database.close());
  }
}
