/**
 * The layout of a vault's log file: a magic word, then units of what was written and synced together.
 *
 *   file = "BAROLOG1" unit…        unit = payload length u32 ‖ crc32 of the length u32 ‖ crc32 of the payload u32 ‖ payload
 *   payload = record…              record = length u32 ‖ snapshot u8 ‖ bytes
 *
 * Checksums find torn writes and bad disks; against forgery the enclave's own seal stands (PROTOCOL.md section 6). A
 * unit that is not whole is a torn tail where nothing whole can follow it, since it was never acknowledged then.
 */

import { crc32 } from 'node:zlib';
import { MAX_RECORD_BYTES } from '../../enclave/core/limits.ts';
import { VaultError } from './vault-error.ts';

export interface StoredRecord {
  bytes: Uint8Array;
  snapshot: boolean;
}

export interface ParsedLog {
  records: StoredRecord[];
  /** Where the last whole unit ends. */
  end: number;
}

export const MAGIC = new TextEncoder().encode('BAROLOG1');
const UNIT_HEADER = 12;
const RECORD_HEADER = 5;
/** Bytes in one unit; a larger group is written as several. */
export const MAX_UNIT_BYTES = MAX_RECORD_BYTES + RECORD_HEADER;

export const recordLength = (record: StoredRecord): number => RECORD_HEADER + record.bytes.length;

export function encodeUnit(records: readonly StoredRecord[]): Uint8Array {
  const payload = records.reduce((sum, record) => sum + recordLength(record), 0);
  const unit = new Uint8Array(UNIT_HEADER + payload);
  const view = new DataView(unit.buffer);
  let at = UNIT_HEADER;
  for (const { bytes, snapshot } of records) {
    view.setUint32(at, bytes.length);
    view.setUint8(at + 4, snapshot ? 1 : 0);
    unit.set(bytes, at + RECORD_HEADER);
    at += RECORD_HEADER + bytes.length;
  }
  view.setUint32(0, payload);
  view.setUint32(4, crc32(unit.subarray(0, 4)));
  view.setUint32(8, crc32(unit.subarray(UNIT_HEADER)));
  return unit;
}

/** @throws VaultError DATA_CORRUPT where a record that was acknowledged cannot be read any more */
export function parseLog(bytes: Uint8Array, file: string): ParsedLog {
  if (!startsWith(bytes, MAGIC)) {
    if (bytes.length < MAGIC.length && startsWith(MAGIC, bytes)) return { records: [], end: 0 };
    throw corrupt(file, 'it does not begin as a log of this program');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: StoredRecord[] = [];
  let at = MAGIC.length;
  while (at < bytes.length) {
    const payload = wholeUnit(bytes, view, at);
    if (payload === null) {
      if (anythingWholeAfter(bytes, view, at)) throw corrupt(file, `the record at byte ${at} is damaged`);
      break;
    }
    const unitEnd = at + UNIT_HEADER + payload;
    for (let inner = at + UNIT_HEADER; inner < unitEnd; ) {
      const length = unitEnd - inner < RECORD_HEADER ? Number.POSITIVE_INFINITY : view.getUint32(inner);
      if (inner + RECORD_HEADER + length > unitEnd)
        throw corrupt(file, `the record at byte ${inner} overruns its group`);
      const start = inner + RECORD_HEADER;
      records.push({
        bytes: new Uint8Array(bytes.subarray(start, start + length)),
        snapshot: view.getUint8(inner + 4) === 1,
      });
      inner = start + length;
    }
    at = unitEnd;
  }
  return { records, end: at };
}

/** Payload length of the unit at `at`, or null where there is no whole one. */
function wholeUnit(bytes: Uint8Array, view: DataView, at: number): number | null {
  if (bytes.length - at < UNIT_HEADER) return null;
  const payload = view.getUint32(at);
  if (payload === 0 || payload > MAX_UNIT_BYTES || at + UNIT_HEADER + payload > bytes.length) return null;
  if (view.getUint32(at + 4) !== crc32(bytes.subarray(at, at + 4))) return null;
  const body = bytes.subarray(at + UNIT_HEADER, at + UNIT_HEADER + payload);
  return view.getUint32(at + 8) === crc32(body) ? payload : null;
}

/**
 * Units are written one after the other, each synced before the next: a whole unit behind a broken one was acknowledged,
 * so the broken one was as well, and its damage came later.
 */
function anythingWholeAfter(bytes: Uint8Array, view: DataView, broken: number): boolean {
  for (let at = broken + 1; at + UNIT_HEADER < bytes.length; at++) {
    if (wholeUnit(bytes, view, at) !== null) return true;
  }
  return false;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, index) => bytes[index] === byte);
}

function corrupt(file: string, why: string): VaultError {
  return new VaultError({
    code: 'DATA_CORRUPT',
    message: `The sealed state in ${file} cannot be used: ${why}. Nothing was changed. Look for a copy of exactly this file (an older one is refused as stale); without one, ask the peers to close the channels: payouts go to your own address.`,
  });
}
