/** sqlite3 with promises: the one import place of the package in client/, and how its errors become refusals. */

import sqlite3 from 'sqlite3';
import { TerminalRefusal } from './refusal.ts';

export type Parameters = readonly (string | number | null)[];

export class Database {
  readonly #handle: sqlite3.Database;

  private constructor(handle: sqlite3.Database) {
    this.#handle = handle;
  }

  /** @param file path, created where it is missing */
  static async open(file: string): Promise<Database> {
    const handle = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opened: sqlite3.Database = new sqlite3.Database(file, (error) => (error ? reject(error) : resolve(opened)));
    });
    return new Database(handle);
  }

  /** One or more statements without parameters. */
  execute(sql: string): Promise<void> {
    return new Promise((resolve, reject) => this.#handle.exec(sql, (error) => (error ? reject(error) : resolve())));
  }

  run(sql: string, parameters: Parameters = []): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#handle.run(sql, [...parameters], (error: Error | null) => (error ? reject(error) : resolve()));
    });
  }

  all<Row>(sql: string, parameters: Parameters = []): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#handle.all<Row>(sql, [...parameters], (error, rows) => (error ? reject(error) : resolve(rows)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => this.#handle.close((error) => (error ? reject(error) : resolve())));
  }
}

/** True for the error with which SQLite says that another connection holds the lock. */
export const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY';

/** What SQLite threw, in words that say what to do. */
export function databaseRefusal(error: unknown, file: string): TerminalRefusal {
  if (error instanceof TerminalRefusal) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const detail = error instanceof Error ? error.message : String(error);
  if (code === 'SQLITE_FULL') {
    return new TerminalRefusal(
      { code: 'DISK_FULL', message: `No room left to write ${file}. Nothing was stored; make room and try again.` },
      { cause: error },
    );
  }
  return new TerminalRefusal(
    {
      code: 'DATA_CORRUPT',
      message: `${file} could not be read or written (${detail}). It holds history only: move it away and a new one is begun.`,
    },
    { cause: error },
  );
}
