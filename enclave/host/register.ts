/**
 * The register of the emulated platform: the hash of the last sealed record of each log (PROTOCOL.md section 6).
 *
 * One SQLite database per log, so that terminals of one platform never wait for each other; a swap is one conditional
 * statement under synchronous=FULL, hence atomic across processes and durable when it returns.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sqlite3 from 'sqlite3';
import type { Bytes16, Bytes32 } from '../core/ids.ts';

/** How long a swap waits for another process that swaps the same register. */
const BUSY_TIMEOUT_MS = 5_000;

const SETUP = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS register (log TEXT PRIMARY KEY, hash TEXT NOT NULL) WITHOUT ROWID;
`;

export class Register {
  readonly #directory: string;
  readonly #databases = new Map<Bytes16, Promise<sqlite3.Database>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(log: Bytes16): Promise<Bytes32 | null> {
    const database = await this.#database(log);
    return new Promise((resolve, reject) => {
      database.get<{ hash: Bytes32 } | undefined>('SELECT hash FROM register WHERE log = ?', [log], (error, row) => {
        if (error) reject(error);
        else resolve(row?.hash ?? null);
      });
    });
  }

  /** @returns false, with nothing changed, where the register was not `from` (null: absent) */
  async swap(log: Bytes16, change: { from: Bytes32 | null; to: Bytes32 }): Promise<boolean> {
    const database = await this.#database(log);
    const { from, to } = change;
    const [statement, values] =
      from === null
        ? ['INSERT INTO register (log, hash) VALUES (?, ?) ON CONFLICT DO NOTHING', [log, to]]
        : ['UPDATE register SET hash = ? WHERE log = ? AND hash = ?', [to, log, from]];
    return new Promise((resolve, reject) => {
      database.run(statement, values, function (error) {
        if (error) reject(error);
        else resolve(this.changes === 1);
      });
    });
  }

  async close(): Promise<void> {
    for (const opening of this.#databases.values()) {
      const database = await opening;
      await new Promise<void>((resolve) => database.close(() => resolve()));
    }
    this.#databases.clear();
  }

  #database(log: Bytes16): Promise<sqlite3.Database> {
    const known = this.#databases.get(log);
    if (known) return known;
    const opening = this.#open(log);
    this.#databases.set(log, opening);
    return opening;
  }

  async #open(log: Bytes16): Promise<sqlite3.Database> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    return new Promise((resolve, reject) => {
      const database = new sqlite3.Database(join(this.#directory, `${log.slice(2)}.sqlite`), (error) => {
        if (error) return reject(error);
        database.configure('busyTimeout', BUSY_TIMEOUT_MS);
        database.exec(SETUP, (failure) => (failure ? reject(failure) : resolve(database)));
      });
    });
  }
}
