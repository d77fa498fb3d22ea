/**
 * The hub's store in SQLite (seed patent 200): write-ahead log, every commit synced to disk before it counts.
 *
 * A turn of the hub is one transaction, and each kind of write in it one statement over a JSON argument: one statement a
 * row would cap the hub at 27,000 rows a second.
 */

import type { ChannelId, PaymentId } from '../../enclave/core/ids.ts';
import { MAX_ORDERS_REMEMBERED } from '../core/limits.ts';
import type { PaymentProgress, Snapshot, StoreWrite } from '../core/records.ts';
import { Database } from './database.ts';
import { APPLICATION_ID, migrations } from './migrations.ts';
import {
  channelOf,
  cursorOf,
  loggedPaymentOf,
  paymentOf,
  paymentRow,
  progressRow,
  terminalOf,
  terminalRow,
} from './rows.ts';
import { type HubStore, type LoggedPayment, StoreError, type StoreOwner } from './store.ts';

const UNFINISHED = `state in ('preparing', 'updating', 'completing', 'aborting')`;

const statements = {
  channelOpened: `
    insert into channels
    select value->>'channelId', value->>'partyA', value->>'partyB', value->>'payoutA', value->>'payoutB',
      value->>'token', value->>'challengePeriod', value->>'salt', '0', '0', 0, null, null
    from json_each(?) where true on conflict do nothing`,
  depositedA: `
    update channels set deposit_a = given.total
    from (select value->>'channelId' as id, value->>'total' as total from json_each(?)) as given where channel_id = id`,
  depositedB: `
    update channels set deposit_b = given.total
    from (select value->>'channelId' as id, value->>'total' as total from json_each(?)) as given where channel_id = id`,
  channelSettled: `
    update channels set settled = 1, credit_a = given.a, credit_b = given.b
    from (select value->>'channelId' as id, value->>'creditA' as a, value->>'creditB' as b from json_each(?)) as given
    where channel_id = id`,
  chainRead: `
    insert into chain_cursor values (1, ?, ?, ?) on conflict do update
    set next_block = excluded.next_block, anchor_block = excluded.anchor_block, anchor_hash = excluded.anchor_hash`,
  terminalKnown: `
    insert into terminals select value->>'identity', unhex(value->>'introduction'), unhex(value->>'profile')
    from json_each(?) where true on conflict do update
    set introduction = excluded.introduction, profile = excluded.profile`,
  paymentBegun: `
    insert into payments (payment_id, order_id, attempt, payer, payee, token, amount, fee, expiry, ordered, terms,
      participants, state, code, message, evidence, rejected_by, begun_ms, moved_ms)
    select value->>'paymentId', value->>'orderId', value->>'attempt', value->>'payer', value->>'payee', value->>'token',
      value->>'amount', value->>'fee', value->>'expiry', unhex(value->>'ordered'), unhex(value->>'terms'),
      value->>'participants', value->>'state', value->>'code', value->>'message', unhex(value->>'evidence'),
      value->>'rejectedBy', value->>'begunMs', value->>'atMs'
    from json_each(?) where true order by key on conflict do nothing`,
  paymentMoved: `
    update payments set state = given.state, code = given.code, message = given.message,
      evidence = given.evidence, rejected_by = given.rejected_by, moved_ms = given.moved_ms
    from (select value->>'paymentId' as id, value->>'state' as state, value->>'code' as code,
      value->>'message' as message, unhex(value->>'evidence') as evidence, value->>'rejectedBy' as rejected_by,
      value->>'atMs' as moved_ms from json_each(?)) as given
    where payment_id = id`,
  load: `
    select * from payments where ${UNFINISHED} or sequence in (
      select sequence from payments where expiry >= ? order by sequence desc limit ${MAX_ORDERS_REMEMBERED})
    order by sequence`,
  page: 'select * from payments where sequence < ? order by sequence desc limit ?',
} as const;

export class SqliteStore implements HubStore {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** Opens or makes the database. @throws StoreError CORRUPT, OTHER_DEPLOYMENT, NEWER_SCHEMA, NOT_A_HUB_DATABASE, IN_USE */
  static async open(path: string, owner: StoreOwner): Promise<SqliteStore> {
    const database = await Database.open(path);
    try {
      await database.exec('pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full;');
      await requireSound(database, path);
      await migrate(database, path);
      await requireOwner(database, { path, owner });
    } catch (error) {
      await database.close();
      throw error;
    }
    return new SqliteStore(database);
  }

  load(nowMs: number): Promise<Snapshot> {
    return this.#database.alone(async () => {
      const payments = await this.#database.all(statements.load, [Math.floor(nowMs / 1000)]);
      const [cursor] = await this.#database.all('select * from chain_cursor');
      return {
        channels: (await this.#database.all('select * from channels where settled = 0')).map(channelOf),
        terminals: (await this.#database.all('select * from terminals')).map(terminalOf),
        payments: payments.map(paymentOf),
        cursor: cursor ? cursorOf(cursor) : null,
      };
    });
  }

  commit(writes: readonly StoreWrite[]): Promise<void> {
    if (writes.length === 0) return Promise.resolve();
    return this.#database.alone(async () => {
      await this.#database.run('begin immediate');
      try {
        await this.#carryOut(new Batch(writes));
        await this.#database.run('commit');
      } catch (error) {
        await this.#database.run('rollback').catch(() => undefined);
        throw error;
      }
    });
  }

  /** One statement for each kind. Kinds touch different columns, and an insertion comes before what changes it. */
  async #carryOut(batch: Batch): Promise<void> {
    const each = async (sql: string, rows: readonly unknown[]): Promise<number> =>
      rows.length === 0 ? 0 : this.#database.run(sql, [JSON.stringify(rows)]);
    await each(statements.channelOpened, batch.opened);
    await each(statements.depositedA, [...batch.depositsA.values()]);
    await each(statements.depositedB, [...batch.depositsB.values()]);
    await each(statements.channelSettled, batch.settled);
    await each(statements.terminalKnown, [...batch.terminals.values()]);
    await each(statements.paymentBegun, batch.begun);
    const moved = [...batch.moved.values()].map(progressRow);
    if ((await each(statements.paymentMoved, moved)) !== moved.length)
      throw new StoreError('FAILED', 'A payment moved that is not in the log. Report this as a defect.');
    if (batch.cursor) await this.#database.run(statements.chainRead, batch.cursor);
  }

  payments({ limit, before }: { limit: number; before: number | null }): Promise<LoggedPayment[]> {
    const page = [before ?? Number.MAX_SAFE_INTEGER, limit];
    return this.#database.alone(async () => (await this.#database.all(statements.page, page)).map(loggedPaymentOf));
  }

  close(): Promise<void> {
    return this.#database.alone(() => this.#database.close());
  }
}

/** A turn's writes by kind; where one thing changes several times the last counts. */
class Batch {
  readonly opened: unknown[] = [];
  readonly depositsA = new Map<ChannelId, unknown>();
  readonly depositsB = new Map<ChannelId, unknown>();
  readonly settled: unknown[] = [];
  readonly terminals = new Map<string, unknown>();
  readonly begun: unknown[] = [];
  readonly moved = new Map<PaymentId, PaymentProgress>();
  cursor: [nextBlock: number, anchorBlock: number | null, anchorHash: string | null] | null = null;

  constructor(writes: readonly StoreWrite[]) {
    for (const write of writes) this.#sort(write);
  }

  #sort(write: StoreWrite): void {
    switch (write.kind) {
      case 'channelOpened':
        this.opened.push({ channelId: write.channelId, ...write.identity });
        return;
      case 'deposited': {
        const deposits = write.side === 'A' ? this.depositsA : this.depositsB;
        deposits.set(write.channelId, { channelId: write.channelId, total: write.total.toString() });
        return;
      }
      case 'channelSettled': {
        const { channelId, creditA, creditB } = write;
        this.settled.push({ channelId, creditA: creditA.toString(), creditB: creditB.toString() });
        return;
      }
      case 'chainRead': {
        const { nextBlock, anchor } = write.cursor;
        this.cursor = [nextBlock, anchor?.blockNumber ?? null, anchor?.blockHash ?? null];
        return;
      }
      case 'terminalKnown':
        this.terminals.set(write.terminal.introduction.credential.identity, terminalRow(write.terminal));
        return;
      case 'paymentBegun':
        this.begun.push(paymentRow(write.payment));
        return;
      case 'paymentMoved':
        this.moved.set(write.progress.paymentId, write.progress);
        return;
    }
  }
}

async function requireSound(database: Database, path: string): Promise<void> {
  const [found] = await database.all('pragma quick_check(1)');
  if (found?.['quick_check'] === 'ok') return;
  throw new StoreError('CORRUPT', `${path} is damaged (${String(found?.['quick_check'])}). Restore a backup.`);
}

async function pragma(database: Database, name: 'user_version' | 'application_id'): Promise<number> {
  const [row] = await database.all(`pragma ${name}`);
  return Number(row?.[name] ?? 0);
}

async function migrate(database: Database, path: string): Promise<void> {
  const version = await pragma(database, 'user_version');
  const [tables] = await database.all('select count(*) as count from sqlite_schema');
  const isOurs = (await pragma(database, 'application_id')) === APPLICATION_ID;
  if (!isOurs && tables?.['count'] !== 0) {
    throw new StoreError('NOT_A_HUB_DATABASE', `${path} is the database of another program. Choose another --data.`);
  }
  if (version > migrations.length) {
    throw new StoreError(
      'NEWER_SCHEMA',
      `${path} has schema ${version}, this program knows ${migrations.length}. Update the program.`,
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    await database.exec(
      `begin immediate; ${sql}; pragma user_version = ${index + 1}; pragma application_id = ${APPLICATION_ID}; commit;`,
    );
  }
}

async function requireOwner(database: Database, expected: { path: string; owner: StoreOwner }): Promise<void> {
  const { path, owner } = expected;
  const wanted = { chainId: owner.chainId.toString(), contract: owner.contract, genesisHash: owner.genesisHash };
  const insert = `insert into meta select key, value from json_each(?) where true on conflict do nothing`;
  await database.run(insert, [JSON.stringify(wanted)]);
  const rows = await database.all('select key, value from meta');
  const found = new Map(rows.map((row) => [row['key'], row['value']]));
  for (const [key, value] of Object.entries(wanted)) {
    if (found.get(key) === value) continue;
    throw new StoreError(
      'OTHER_DEPLOYMENT',
      `${path} belongs to another network: its ${key} is ${String(found.get(key))}, configured is ${value}. Choose another --data, or the right chain and contract.`,
    );
  }
}
