/** Keys of an enclave: all derived from one sealed seed, none ever leaves (PROTOCOL.md section 3). */

import { secp256k1 } from '@noble/curves/secp256k1.js';
import { toBytes, toHex } from './codec.ts';
import { ascii, concatBytes, keccak256, keyedHash } from './hash.ts';
import type { Address, Hex } from './ids.ts';

/** A secp256k1 key with the address that Ethereum gives it. */
export interface SigningKey {
  readonly address: Address;
  readonly secret: Uint8Array;
}

function signingKey(secret: Uint8Array): SigningKey {
  const point = secp256k1.getPublicKey(secret, false);
  return { address: addressOf(point), secret };
}

const addressOf = (uncompressed: Uint8Array): Address =>
  toHex(keccak256(uncompressed.subarray(1)).subarray(12)) as Address;

/** The key of a channel party; number 0 is the terminal's identity. */
export function derivePartyKey(seed: Uint8Array, index: number): SigningKey {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, index);
  return signingKey(keyedHash(seed, ascii('baro party key 1'), number));
}

/** The static X25519 secret of a terminal. */
export const deriveExchangeSecret = (seed: Uint8Array): Uint8Array => keyedHash(seed, ascii('baro exchange key 1'));

/** Recoverable, deterministic (RFC 6979), low-s signature of a 32-byte digest, as r ‖ s ‖ v with v 27 or 28. */
export function sign(digest: Uint8Array, key: SigningKey): Hex {
  const recovered = secp256k1.sign(digest, key.secret, { prehash: false, format: 'recovered' });
  return toHex(concatBytes(recovered.subarray(1), new Uint8Array([27 + (recovered[0] ?? 0)])));
}

/** The address that signed `digest`, or null where the signature is none (also high-s, and v other than 27 or 28). */
export function recoverSigner(digest: Uint8Array, signature: Hex): Address | null {
  try {
    const bytes = toBytes(signature);
    const recovery = (bytes[64] ?? 0) - 27;
    if (bytes.length !== 65 || (recovery !== 0 && recovery !== 1)) return null;
    const recovered = concatBytes(new Uint8Array([recovery]), bytes.subarray(0, 64));
    if (secp256k1.Signature.fromBytes(recovered, 'recovered').hasHighS()) return null;
    const point = secp256k1.recoverPublicKey(recovered, digest, { prehash: false });
    return addressOf(secp256k1.Point.fromBytes(point).toBytes(false));
  } catch {
    return null;
  }
}

/** What an identity signs beside EIP-712: a label of its own keeps one statement from passing as another. */
export const statement = (label: string, ...parts: Uint8Array[]): Uint8Array => keccak256(ascii(label), ...parts);
