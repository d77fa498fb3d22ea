/**
 * Sealed records: state leaves the enclave only encrypted and authenticated, as a hash chain (PROTOCOL.md section 6).
 *
 * A record is header ‖ XChaCha20-Poly1305 ciphertext, the header being authenticated with it. The nonce is random and
 * 24 bytes long, because forks of an enclave may seal different records at the same place of the chain under one key.
 */

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { apply, type Change, changeCodec } from './changes.ts';
import {
  bytes16Codec,
  bytes32Codec,
  decode,
  encode,
  fixed,
  list,
  oneOf,
  struct,
  type TypeOf,
  toBytes,
  toHex,
  uint8,
  uint64,
} from './codec.ts';
import { ascii, keyedHash } from './hash.ts';
import { type Bytes16, type Bytes32, ZERO_32 } from './ids.ts';
import { MAX_COMMANDS } from './limits.ts';
import { decodeState, encodeState, type State } from './state.ts';

const SEAL_VERSION = 1;
const NONCE_BYTES = 24;
/** A frame's commands make at most a few changes each. */
const MAX_CHANGES = 4 * MAX_COMMANDS;

const headerCodec = struct({
  version: uint8,
  kind: oneOf(['changes', 'snapshot']),
  /** Names the log: drawn at creation. */
  log: bytes16Codec,
  sequence: uint64,
  /** Hash of the record before; zero in the first. */
  previous: bytes32Codec,
  nonce: fixed(NONCE_BYTES),
});
const HEADER_BYTES = 1 + 1 + 16 + 8 + 32 + NONCE_BYTES;
type Header = TypeOf<typeof headerCodec>;

const changesCodec = struct({ clock: uint64, changes: list(changeCodec, MAX_CHANGES) });

/** Where a chain of records stands. */
export interface ChainEnd {
  log: Bytes16;
  sequence: number;
  hash: Bytes32;
}

export interface SealedRecord {
  bytes: Uint8Array;
  end: ChainEnd;
}

/** Why records from a disk cannot be the state of this enclave. */
export class BrokenSeal extends Error {
  readonly code: 'CORRUPT' | 'FOREIGN' | 'STALE';
  constructor(code: 'CORRUPT' | 'FOREIGN' | 'STALE', message: string) {
    super(message);
    this.code = code;
  }
}

export const newLog = (random: (length: number) => Uint8Array): ChainEnd => ({
  log: toHex(random(16)) as Bytes16,
  sequence: 0,
  hash: ZERO_32,
});

export const recordHash = (record: Uint8Array): Bytes32 => toHex(blake3(record)) as Bytes32;

const logKey = (sealingKey: Uint8Array, log: Bytes16): Uint8Array =>
  keyedHash(sealingKey, ascii('baro seal 1'), toBytes(log));

function seal(sealingKey: Uint8Array, header: Header, plain: Uint8Array): SealedRecord {
  const head = encode(headerCodec, header);
  const cipher = xchacha20poly1305(logKey(sealingKey, header.log), header.nonce, head);
  const body = cipher.encrypt(plain);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return { bytes, end: { log: header.log, sequence: header.sequence, hash: recordHash(bytes) } };
}

export interface Sealer {
  sealingKey: Uint8Array;
  random(length: number): Uint8Array;
}

function nextHeader(sealer: Sealer, kind: Header['kind'], after: ChainEnd): Header {
  const { log, sequence, hash } = after;
  return {
    version: SEAL_VERSION,
    kind,
    log,
    sequence: sequence + 1,
    previous: hash,
    nonce: sealer.random(NONCE_BYTES),
  };
}

/** Seals what one frame changed, after the record `after`. */
export function sealChanges(
  sealer: Sealer,
  after: ChainEnd,
  frame: { clock: number; changes: Change[] },
): SealedRecord {
  return seal(sealer.sealingKey, nextHeader(sealer, 'changes', after), encode(changesCodec, frame));
}

/** Seals the whole state in place of a frame's changes: everything before it is no longer needed. */
export function sealSnapshot(sealer: Sealer, after: ChainEnd, state: State): SealedRecord {
  return seal(sealer.sealingKey, nextHeader(sealer, 'snapshot', after), encodeState(state));
}

interface Opened {
  header: Header;
  plain: Uint8Array;
  hash: Bytes32;
}

function unseal(sealingKey: Uint8Array, record: Uint8Array): Opened {
  try {
    const head = record.subarray(0, HEADER_BYTES);
    const header = decode(headerCodec, head);
    if (header.version !== SEAL_VERSION)
      throw new BrokenSeal('FOREIGN', `Seal version ${header.version} is not known here.`);
    const cipher = xchacha20poly1305(logKey(sealingKey, header.log), header.nonce, head);
    return { header, plain: cipher.decrypt(record.subarray(HEADER_BYTES)), hash: recordHash(record) };
  } catch (cause) {
    if (cause instanceof BrokenSeal) throw cause;
    throw new BrokenSeal(
      'FOREIGN',
      'A sealed record cannot be opened: it is damaged, or was sealed on another platform or by another enclave image. Put back the directory that belongs to this platform.',
    );
  }
}

function claimedHeader(record: Uint8Array): Header | null {
  try {
    return decode(headerCodec, record.subarray(0, HEADER_BYTES));
  } catch {
    return null;
  }
}

/** The log that a record claims to belong to, without opening it; null where it is no record. */
export const logOf = (record: Uint8Array): Bytes16 | null => claimedHeader(record)?.log ?? null;

/** True where a record claims to be the first of its log: nothing but the creation of a terminal. */
export const isFirstRecord = (record: Uint8Array): boolean => claimedHeader(record)?.sequence === 1;

export interface Restored {
  state: State;
  end: ChainEnd;
  /** How many of the given records count. */
  accepted: number;
}

/**
 * Rebuilds the state from records, oldest first, beginning with a snapshot. Accepts exactly what ends at the anchored
 * hash; what follows was never anchored, so nothing of it was ever released, and is cut off.
 * @throws BrokenSeal STALE where the anchored record is not among them, CORRUPT where the chain is broken
 */
export function restore(sealingKey: Uint8Array, records: readonly Uint8Array[], anchored: Bytes32 | null): Restored {
  const last = records.findIndex((record) => recordHash(record) === anchored);
  if (last < 0) {
    throw new BrokenSeal(
      'STALE',
      'These sealed records are not the ones anchored on this platform: the data directory is an old copy, or incomplete. An enclave that lost its state signs nothing any more; ask the peers to close its channels.',
    );
  }
  let state: State | null = null;
  let end: ChainEnd | null = null;
  for (const record of records.slice(0, last + 1)) {
    const { header, plain, hash } = unseal(sealingKey, record);
    if (end && (header.log !== end.log || header.previous !== end.hash || header.sequence !== end.sequence + 1)) {
      throw new BrokenSeal(
        'CORRUPT',
        `Sealed record ${header.sequence} does not follow the one before it; the file is damaged.`,
      );
    }
    if (header.kind === 'snapshot') state = decodeState(plain);
    else if (state) replay(state, plain);
    else throw new BrokenSeal('CORRUPT', 'The first sealed record must be a snapshot; the file is incomplete.');
    end = { log: header.log, sequence: header.sequence, hash };
  }
  if (!state || !end) throw new BrokenSeal('CORRUPT', 'No sealed record was given.');
  return { state, end, accepted: last + 1 };
}

function replay(state: State, plain: Uint8Array): void {
  const { clock, changes } = decode(changesCodec, plain);
  state.clock = clock;
  for (const change of changes) apply(state, change);
}
