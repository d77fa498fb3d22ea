/**
 * Fixed binary layouts: one description of a structure gives its writer and its reader.
 *
 * Every value has exactly one encoding. Readers refuse what is truncated, oversized, trailing or not canonical
 * (a boolean of 2, an option tag of 7), so that bytes which were accepted encode back to themselves.
 */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { Address, Bytes16, Bytes32, ChannelId, Hex, Identity, PaymentId } from './ids.ts';
import { MAX_AMOUNT } from './limits.ts';

/** Bytes that no writer of this layout could have written. */
export class MalformedBytes extends Error {
  readonly code = 'MALFORMED';
}

/** A value that has no place in its layout: a programmer error of the writer. */
class Unencodable extends Error {
  readonly code = 'UNENCODABLE';
}

export class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Makes room and returns where to write. It may replace the buffer: call it before touching the view. */
  #room(more: number): number {
    const at = this.#length;
    const needed = at + more;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }

  uint8(value: number): void {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
  }
  uint16(value: number): void {
    const at = this.#room(2);
    this.#view.setUint16(at, value);
  }
  uint32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value);
  }
  uint64(value: bigint): void {
    const at = this.#room(8);
    this.#view.setBigUint64(at, value);
  }
  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) {
      throw new MalformedBytes(`truncated: ${length} bytes wanted at ${at}, ${this.#bytes.length - at} left`);
    }
    this.#at = at + length;
    return at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }
  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }
  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }
  get left(): number {
    return this.#bytes.length - this.#at;
  }
}

/** How one type is written and read. */
export interface Codec<T> {
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

/** The type that a codec carries. */
export type TypeOf<C> = C extends Codec<infer T> ? T : never;

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.write(writer, value);
  return writer.finish();
}

/** @throws MalformedBytes if `bytes` is not exactly one encoding of a value. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const value = codec.read(reader);
  if (reader.left > 0) throw new MalformedBytes(`${reader.left} bytes follow the end of the message`);
  return value;
}

function unsigned(limit: number, write: (writer: Writer, value: number) => void, read: (reader: Reader) => number) {
  return {
    write(writer: Writer, value: number) {
      if (!Number.isInteger(value) || value < 0 || value > limit)
        throw new Unencodable(`${value} is no integer in 0..${limit}`);
      write(writer, value);
    },
    read,
  };
}

export const uint8: Codec<number> = unsigned(
  0xff,
  (w, v) => w.uint8(v),
  (r) => r.uint8(),
);
export const uint16: Codec<number> = unsigned(
  0xffff,
  (w, v) => w.uint16(v),
  (r) => r.uint16(),
);
export const uint32: Codec<number> = unsigned(
  0xffff_ffff,
  (w, v) => w.uint32(v),
  (r) => r.uint32(),
);

/** A uint64 that counts (seconds, sequence numbers): kept a number, so at most 2^53 - 1. */
export const uint64: Codec<number> = {
  write(writer, value) {
    if (!Number.isSafeInteger(value) || value < 0) throw new Unencodable(`${value} is no unsigned 53-bit integer`);
    writer.uint64(BigInt(value));
  },
  read(reader) {
    const value = reader.uint64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedBytes('a 64-bit count above 2^53 - 1');
    return Number(value);
  },
};

/** A uint64 that uses its whole range (chain ids). */
export const uint64big: Codec<bigint> = {
  write(writer, value) {
    if (value < 0n || value >= 1n << 64n) throw new Unencodable('not a uint64');
    writer.uint64(value);
  },
  read: (reader) => reader.uint64(),
};

/** An amount of money: uint128, big-endian, in the token's base unit. */
export const amount: Codec<bigint> = {
  write(writer, value) {
    if (value < 0n || value > MAX_AMOUNT) throw new Unencodable('an amount outside uint128');
    writer.uint64(value >> 64n);
    writer.uint64(value & 0xffff_ffff_ffff_ffffn);
  },
  read(reader) {
    const high = reader.uint64();
    return (high << 64n) | reader.uint64();
  },
};

export const bool: Codec<boolean> = {
  write: (writer, value) => writer.uint8(value ? 1 : 0),
  read(reader) {
    const byte = reader.uint8();
    if (byte > 1) throw new MalformedBytes(`a boolean of ${byte}`);
    return byte === 1;
  },
};

export const toBytes = (hex: Hex): Uint8Array => hexToBytes(hex.slice(2));
export const toHex = (bytes: Uint8Array): Hex => `0x${bytesToHex(bytes)}`;

function fixedHex<T extends Hex>(length: number): Codec<T> {
  return {
    write(writer, value) {
      if (value.length !== 2 + 2 * length) throw new Unencodable(`${length} bytes of hex wanted`);
      writer.raw(toBytes(value));
    },
    read: (reader) => toHex(reader.raw(length)) as T,
  };
}

export const addressCodec = fixedHex<Address>(20);
export const identityCodec = fixedHex<Identity>(20);
export const bytes16Codec = fixedHex<Bytes16>(16);
export const bytes32Codec = fixedHex<Bytes32>(32);
export const channelIdCodec = fixedHex<ChannelId>(32);
export const paymentIdCodec = fixedHex<PaymentId>(32);
/** A recoverable ECDSA signature, r ‖ s ‖ v with v 27 or 28. */
export const signatureCodec = fixedHex<Hex>(65);

/** Exactly `length` bytes. */
export function fixed(length: number): Codec<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length !== length) throw new Unencodable(`${length} bytes wanted, got ${value.length}`);
      writer.raw(value);
    },
    read: (reader) => reader.raw(length),
  };
}

/** Up to `limit` bytes behind a 32-bit length. */
export function blob(limit: number): Codec<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length > limit) throw new Unencodable(`${value.length} bytes where at most ${limit} fit`);
      writer.uint32(value.length);
      writer.raw(value);
    },
    read(reader) {
      const length = reader.uint32();
      if (length > limit) throw new MalformedBytes(`${length} bytes where at most ${limit} are allowed`);
      return reader.raw(length);
    },
  };
}

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Text of at most `limit` bytes of UTF-8. */
export function text(limit: number): Codec<string> {
  const bytes = blob(limit);
  return {
    write: (writer, value) => bytes.write(writer, utf8Encoder.encode(value)),
    read(reader) {
      try {
        return utf8Decoder.decode(bytes.read(reader));
      } catch (cause) {
        if (cause instanceof MalformedBytes) throw cause;
        throw new MalformedBytes('text that is not UTF-8');
      }
    },
  };
}

/** Up to `limit` items behind a 32-bit count. */
export function list<T>(item: Codec<T>, limit: number): Codec<T[]> {
  return {
    write(writer, values) {
      if (values.length > limit) throw new Unencodable(`${values.length} items where at most ${limit} fit`);
      writer.uint32(values.length);
      for (const value of values) item.write(writer, value);
    },
    read(reader) {
      const count = reader.uint32();
      if (count > limit) throw new MalformedBytes(`${count} items where at most ${limit} are allowed`);
      const values: T[] = [];
      for (let index = 0; index < count; index++) values.push(item.read(reader));
      return values;
    },
  };
}

/** A value or null. */
export function option<T>(item: Codec<T>): Codec<T | null> {
  return {
    write(writer, value) {
      bool.write(writer, value !== null);
      if (value !== null) item.write(writer, value);
    },
    read: (reader) => (bool.read(reader) ? item.read(reader) : null),
  };
}

/** One of a few words, written as its position. */
export function oneOf<const T extends string>(words: readonly T[]): Codec<T> {
  return {
    write(writer, value) {
      const index = words.indexOf(value);
      if (index < 0) throw new Unencodable(`${value} is none of ${words.join(', ')}`);
      writer.uint8(index);
    },
    read(reader) {
      const word = words[reader.uint8()];
      if (word === undefined) throw new MalformedBytes(`none of ${words.join(', ')}`);
      return word;
    },
  };
}

type StructOf<F> = { [K in keyof F]: TypeOf<F[K]> };

/** Fields in the order given. */
export function struct<F extends { [K in keyof F]: Codec<TypeOf<F[K]>> }>(fields: F): Codec<StructOf<F>> {
  const entries = Object.entries(fields) as [keyof F & string, Codec<unknown>][];
  return {
    write(writer, value) {
      for (const [name, codec] of entries) codec.write(writer, value[name]);
    },
    read(reader) {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.read(reader);
      return value as StructOf<F>;
    },
  };
}

type Variants = Record<string, readonly [tag: number, codec: Codec<never>]>;
type UnionOf<V> = {
  [K in keyof V]: V[K] extends readonly [number, Codec<infer T>] ? { kind: K } & T : never;
}[keyof V];

/** A tagged union: `kind` in memory, one tag byte on the wire. Tags are given and never reused. */
export function union<V extends { [K in keyof V]: readonly [number, Codec<object & TypeOf<V[K][1]>>] }>(
  variants: V,
): Codec<UnionOf<V>> {
  const byTag = new Map<number, [string, Codec<unknown>]>();
  for (const [kind, [tag, codec]] of Object.entries(variants as unknown as Variants)) {
    if (byTag.has(tag)) throw new Unencodable(`tag ${tag} is used twice`);
    byTag.set(tag, [kind, codec]);
  }
  const byKind = new Map([...byTag].map(([tag, [kind, codec]]) => [kind, { tag, codec }]));
  return {
    write(writer, value) {
      const variant = byKind.get((value as { kind: string }).kind);
      if (!variant) throw new Unencodable(`unknown kind ${(value as { kind: string }).kind}`);
      writer.uint8(variant.tag);
      variant.codec.write(writer, value);
    },
    read(reader) {
      const tag = reader.uint8();
      const variant = byTag.get(tag);
      if (!variant) throw new MalformedBytes(`unknown tag ${tag}`);
      return { kind: variant[0], ...(variant[1].read(reader) as object) } as UnionOf<V>;
    },
  };
}
