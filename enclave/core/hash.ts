/**
 * The hashes of PROTOCOL.md section 9: keccak256 for everything that Solidity sees, keyed BLAKE3 for evidence and keys.
 *
 * keccak runs in WASM (hash-wasm, prepared once while the image loads: 15 times as fast as plain JavaScript, and a
 * PREPARE of three transfers takes seven); keyed BLAKE3 is synchronous with any key in @noble/hashes.
 */

import { blake3 } from '@noble/hashes/blake3.js';
import { createKeccak } from 'hash-wasm';

const keccak = await createKeccak(256);

export function keccak256(...parts: Uint8Array[]): Uint8Array {
  keccak.init();
  for (const part of parts) keccak.update(part);
  return keccak.digest('binary');
}

/** Keyed BLAKE3 (a pseudo-random function of its input under a 32-byte key). @returns 32 bytes */
export function keyedHash(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const hash = blake3.create({ key });
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const encoder = new TextEncoder();
export const ascii = (label: string): Uint8Array => encoder.encode(label);

/** Compares without leaving early, so that a forger learns nothing from the time it takes. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (const [index, byte] of left.entries()) difference |= byte ^ (right[index] ?? 0);
  return difference === 0;
}
