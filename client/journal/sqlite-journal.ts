/** The journal in one SQLite file. A whole batch is one statement over JSON: a statement a row is far slower. */

import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import { Database, databaseRefusal } from '../database.ts';
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
import { migrate } from './migrations.ts';

interface PaymentRow {
  sequence: number;
  key: string;
  kind: 'round' | 'direct';
  payment_id: PaymentId | null;
  channel_id: ChannelId | null;
  role: PaymentHistoryEntry['role'];
  phase: PaymentHistoryEntry['phase'];
  token: Address;
  amount: string;
  fee: string | null;
  payer: Identity;
  payee: Identity | null;
  invoice: Bytes32 | null;
  order_id: Bytes32 | null;
  description: string;
  hops: number;
  created_at: number;
  updated_at: number;
}

const SAVE_PAYMENTS = `
  insert into payments (key, kind, payment_id, channel_id, role, phase, token, amount, fee, payer, payee, invoice,
                        order_id, description, hops, created_at, updated_at)
  select value ->> 'key', value ->> 'kind', value ->> 'paymentId', value ->> 'channelId', value ->> 'role',
         value ->> 'phase', value ->> 'token', value ->> 'amount', value ->> 'fee', value ->> 'payer',
         value ->> 'payee', value ->> 'invoice', value ->> 'orderId', value ->> 'description', value ->> 'hops',
         value ->> 'updatedAt', value ->> 'updatedAt'
  from json_each(?) where true
  on conflict (key) do update set phase = excluded.phase, amount = excluded.amount,
    fee = coalesce(excluded.fee, fee), payee = coalesce(excluded.payee, payee), updated_at = excluded.updated_at,
    description = case when excluded.description = '' then description else excluded.description end`;

const SAVE_DEPOSITS = `
  insert into deposits (channel_id, side, total)
  select value ->> 'channelId', value ->> 'side', value ->> 'total' from json_each(?) where true
  on conflict (channel_id, side) do update set total = excluded.total`;

const SAVE_SETTLED = 'insert or ignore into settlements (channel_id) select value from json_each(?)';

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
    const limit = Math.max(1, Math.min(page.limit, MAX_HISTORY_PAGE));
    const rows = await this.#work(() =>
      this.#database.all<PaymentRow>('select * from payments where sequence < ? order by sequence desc limit ?', [
        page.before ?? Number.MAX_SAFE_INTEGER,
        limit,
      ]),
    );
    return rows.map(entryOf);
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

function entryOf(row: PaymentRow): PaymentHistoryEntry {
  return {
    sequence: row.sequence,
    kind: row.kind,
    key: row.key,
    paymentId: row.payment_id,
    channelId: row.channel_id,
    role: row.role,
    phase: row.phase,
    token: row.token,
    amount: BigInt(row.amount),
    fee: row.fee === null ? null : BigInt(row.fee),
    payer: row.payer,
    payee: row.payee,
    invoice: row.invoice,
    orderId: row.order_id,
    description: row.description,
    hops: row.hops,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
