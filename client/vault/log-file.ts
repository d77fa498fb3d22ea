/** One open log file: writes a group, syncs it, and only then counts it; what a failed write left is cut off first. */

import { type FileHandle, open } from 'node:fs/promises';
import { encodeUnit, MAGIC, type StoredRecord } from './log-format.ts';

/** How files are opened; tests give one whose disk fills up. */
export type OpenFile = (path: string, flags: string) => Promise<FileHandle>;

export const openOwnFile: OpenFile = (path, flags) => open(path, flags, 0o600);

export class LogFile {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Where the last whole unit ends. */
  #end: number;
  /** Bytes may follow `#end` that count for nothing. */
  #dirty: boolean;

  private constructor(file: { path: string; handle: FileHandle; end: number; dirty: boolean }) {
    this.path = file.path;
    this.#handle = file.handle;
    this.#end = file.end;
    this.#dirty = file.dirty;
  }

  static async open(openFile: OpenFile, file: { path: string; end: number }): Promise<LogFile> {
    return new LogFile({ ...file, handle: await openFile(file.path, 'r+'), dirty: true });
  }

  /** A new file with these records, synced; its directory is not. The path must be free to be overwritten. */
  static async create(openFile: OpenFile, file: { path: string; records: readonly StoredRecord[] }): Promise<void> {
    const handle = await openFile(file.path, 'w');
    try {
      await writeAll(handle, MAGIC, 0);
      if (file.records.length > 0) await writeAll(handle, encodeUnit(file.records), MAGIC.length);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Durable when it resolves; when it rejects, none of the records are there. */
  async write(records: readonly StoredRecord[]): Promise<void> {
    if (this.#dirty) await this.#handle.truncate(this.#end);
    this.#dirty = true;
    const unit = encodeUnit(records);
    await writeAll(this.#handle, unit, this.#end);
    await this.#handle.datasync();
    this.#end += unit.length;
    this.#dirty = false;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
