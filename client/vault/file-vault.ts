/**
 * Sealed records on a disk (PROTOCOL.md section 6, "Anchor, then release"): append-only files, one per snapshot.
 *
 * Invariants: `append` resolves only after fdatasync; records appended while one write is under way share the next; a
 * snapshot begins a new file, written, synced and renamed before it counts; the file before it stays until another
 * append is durable, because the anchor may still name its last record; a write that failed leaves nothing that counts.
 */

import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vault } from '../../enclave/host/vault.ts';
import { type DirectoryLock, lockDirectory } from './lock.ts';
import { LogFile, type OpenFile, openOwnFile } from './log-file.ts';
import { MAX_UNIT_BYTES, type ParsedLog, parseLog, recordLength, type StoredRecord } from './log-format.ts';
import { diskError, VaultError } from './vault-error.ts';

interface Waiting {
  record: StoredRecord;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Records that may wait for the disk; the enclave hands over one at a time, so more is a programmer's error. */
const MAX_WAITING = 4_096;
const NAME = /^state-(\d{12})\.log$/;
const nameOf = (sequence: number): string => `state-${sequence.toString().padStart(12, '0')}.log`;

export class FileVault implements Vault {
  readonly #directory: string;
  readonly #openFile: OpenFile;
  readonly #lock: DirectoryLock;
  #sequences: number[];
  #current: LogFile | null = null;
  /** A file whose making failed after it may have got its name: it must go before anything else is written. */
  #leftover: string | null = null;
  readonly #waiting: Waiting[] = [];
  #draining: Promise<void> | null = null;
  #closed = false;

  private constructor(vault: { directory: string; openFile: OpenFile; lock: DirectoryLock; sequences: number[] }) {
    this.#directory = vault.directory;
    this.#openFile = vault.openFile;
    this.#lock = vault.lock;
    this.#sequences = vault.sequences;
  }

  /**
   * Takes the directory for this process and creates it where it is missing.
   * @throws VaultError DATA_IN_USE, ENOSPC, DISK_FAILED
   */
  static async open(directory: string, options: { openFile?: OpenFile } = {}): Promise<FileVault> {
    let lock: DirectoryLock | null = null;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      lock = await lockDirectory(directory);
      const names = await readdir(directory);
      for (const name of names) if (name.endsWith('.log.tmp')) await rm(join(directory, name), { force: true });
      const sequences = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
      sequences.sort((left, right) => left - right);
      return new FileVault({ directory, openFile: options.openFile ?? openOwnFile, lock, sequences });
    } catch (error) {
      await lock?.release();
      throw diskError(error, directory);
    }
  }

  /** True where nothing was ever stored: a terminal that does not exist yet. */
  get empty(): boolean {
    return this.#sequences.length === 0;
  }

  append(record: { bytes: Uint8Array; snapshot: boolean }): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#waiting.length >= MAX_WAITING) throw new RangeError(`${MAX_WAITING} records wait for the disk`);
    if (recordLength(record) > MAX_UNIT_BYTES) throw new RangeError(`a record of ${record.bytes.length} bytes`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record: { ...record, bytes: new Uint8Array(record.bytes) }, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Of the newest file; and of the one before it as long as nothing followed the newest one's snapshot. */
  async load(): Promise<Uint8Array[]> {
    return (await this.#read()).flatMap((file) => file.log.records.map((record) => record.bytes));
  }

  async truncate(count: number): Promise<void> {
    await this.#draining;
    const files = await this.#read();
    let left = count;
    const cuts = files.map(({ sequence, log }) => {
      const kept = log.records.slice(0, left);
      left -= kept.length;
      return { sequence, kept, changed: kept.length < log.records.length };
    });
    if (left > 0) throw new RangeError(`asked to keep ${count} records, ${count - left} are there`);
    await this.#closeCurrent();
    // The newest file first: a crash in between must leave a beginning of the log, never a log with a gap.
    for (const { sequence, kept } of cuts.filter((cut) => cut.changed).reverse()) {
      await this.#keepOnly(sequence, kept).catch((error: unknown) => {
        throw diskError(error, this.#path(sequence));
      });
    }
  }

  /** Waits for what is under way and gives the directory free. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#draining;
    await this.#closeCurrent();
    await this.#lock.release();
  }

  #path(sequence: number): string {
    return join(this.#directory, nameOf(sequence));
  }

  async #read(): Promise<{ sequence: number; log: ParsedLog }[]> {
    const files: { sequence: number; log: ParsedLog }[] = [];
    for (const sequence of this.#sequences.slice(-2).reverse()) {
      const path = this.#path(sequence);
      const bytes = await readFile(path).catch((error: unknown) => {
        throw diskError(error, path);
      });
      const log = parseLog(bytes, path);
      files.unshift({ sequence, log });
      if (log.records.length > 1) break;
    }
    return files;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        await this.#store(group.map((waiting) => waiting.record));
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        // What waits behind continues what failed: it must not become durable without it.
        const all = [...group, ...this.#waiting.splice(0)];
        const reason = diskError(error, this.#directory);
        for (const waiting of all) waiting.reject(reason);
      }
    }
    // In the same turn in which the queue was found empty: nobody can have been added unseen.
    this.#draining = null;
  }

  /** A snapshot alone, or all records up to the next one. */
  #nextGroup(): Waiting[] {
    const group = this.#waiting.splice(0, 1);
    if (group[0]?.record.snapshot) return group;
    let bytes = group.reduce((sum, waiting) => sum + recordLength(waiting.record), 0);
    for (let next = this.#waiting[0]; next && !next.record.snapshot; next = this.#waiting[0]) {
      bytes += recordLength(next.record);
      if (bytes > MAX_UNIT_BYTES) break;
      group.push(next);
      this.#waiting.shift();
    }
    return group;
  }

  async #store(records: readonly StoredRecord[]): Promise<void> {
    if (this.#leftover !== null) {
      await rm(this.#leftover, { force: true });
      await syncDirectory(this.#directory);
      this.#leftover = null;
    }
    const newest = this.#sequences.at(-1);
    if (newest === undefined || records[0]?.snapshot) return this.#rotate((newest ?? 0) + 1, records);
    if (!this.#current) {
      const path = this.#path(newest);
      const { end } = parseLog(await readFile(path), path);
      this.#current = await LogFile.open(this.#openFile, { path, end });
    }
    await this.#current.write(records);
    for (const old of this.#sequences.splice(0, this.#sequences.length - 1)) {
      await rm(this.#path(old), { force: true }).catch(() => undefined);
    }
  }

  async #rotate(sequence: number, records: readonly StoredRecord[]): Promise<void> {
    this.#leftover = this.#path(sequence);
    await this.#replace(sequence, records);
    this.#leftover = null;
    this.#sequences.push(sequence);
    await this.#closeCurrent();
  }

  /** The file holds exactly these records afterwards; a crash in between leaves it as it was. */
  async #replace(sequence: number, records: readonly StoredRecord[]): Promise<void> {
    const path = this.#path(sequence);
    await LogFile.create(this.#openFile, { path: `${path}.tmp`, records });
    await rename(`${path}.tmp`, path);
    await syncDirectory(this.#directory);
  }

  async #keepOnly(sequence: number, records: readonly StoredRecord[]): Promise<void> {
    if (records.length > 0) return this.#replace(sequence, records);
    await rm(this.#path(sequence), { force: true });
    await syncDirectory(this.#directory);
    this.#sequences = this.#sequences.filter((other) => other !== sequence);
  }

  async #closeCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    await current?.close();
  }
}

const closed = (): VaultError =>
  new VaultError({ code: 'CLOSED', message: 'The vault is closed: the terminal was stopped. Start it again.' });

/** Makes names durable, not only what is in the files. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
