/**
 * The one import place of `sqlite3`: promises around a connection, one user at a time, prepared statements kept.
 * A file belongs to one process (exclusive locking), so two hubs never share a log.
 */

import sqlite3 from 'sqlite3';
import { StoreError } from './store.ts';

export type Row = Readonly<Record<string, unknown>>;
type Parameters = readonly (string | number | null)[];

export class Database {
  readonly #connection: sqlite3.Database;
  readonly #statements = new Map<string, sqlite3.Statement>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(connection: sqlite3.Database) {
    this.#connection = connection;
  }

  /** @throws StoreError FAILED where the file cannot be opened or made */
  static async open(path: string): Promise<Database> {
    const connection = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opened: sqlite3.Database = new sqlite3.Database(path, (error) =>
        error ? reject(translate(error, path)) : resolve(opened),
      );
    });
    return new Database(connection);
  }

  /** Runs alone: what others ask meanwhile waits. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** Several statements without parameters. */
  exec(sql: string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#connection.exec(sql, (error) => (error ? reject(translate(error)) : resolve())),
    );
  }

  /** One statement, prepared once. @returns how many rows it changed */
  run(sql: string, parameters: Parameters = []): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#prepared(sql).run([...parameters], function (error) {
        if (error) reject(translate(error));
        else resolve(this.changes);
      });
    });
  }

  all(sql: string, parameters: Parameters = []): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#prepared(sql).all([...parameters], (error: Error | null, rows: Row[]) =>
        error ? reject(translate(error)) : resolve(rows),
      );
    });
  }

  #prepared(sql: string): sqlite3.Statement {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#connection.prepare(sql);
    // A statement that cannot be prepared says so again when it is run; without a listener it would end the process.
    statement.on('error', () => undefined);
    this.#statements.set(sql, statement);
    return statement;
  }

  async close(): Promise<void> {
    for (const statement of this.#statements.values()) await new Promise((resolve) => statement.finalize(resolve));
    this.#statements.clear();
    await new Promise<void>((resolve, reject) =>
      this.#connection.close((error) => (error ? reject(translate(error)) : resolve())),
    );
  }
}

function translate(error: Error, path = 'the database'): StoreError {
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'SQLITE_NOTADB':
      return new StoreError(
        'CORRUPT',
        `${path} is no SQLite database. Choose another --data, or restore a backup.`,
        error,
      );
    case 'SQLITE_CORRUPT':
      return new StoreError('CORRUPT', `${path} is damaged (${error.message}). Restore a backup.`, error);
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new StoreError(
        'IN_USE',
        `${path} is in use by another process. Stop the other hub, or choose another --data.`,
        error,
      );
    default:
      return new StoreError(
        'FAILED',
        `${path} cannot be used (${error.message}). Check the disk and its permissions.`,
        error,
      );
  }
}
