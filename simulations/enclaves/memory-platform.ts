/** A platform in memory, for simulations: registers, sealing keys and quotes as the emulated one gives them. */

import { quoteDigest } from '../../enclave/core/credential.ts';
import { ascii, keyedHash } from '../../enclave/core/hash.ts';
import type { Address, Bytes16, Bytes32, Hex } from '../../enclave/core/ids.ts';
import { bytes32 } from '../../enclave/core/ids.ts';
import { derivePartyKey, type SigningKey, sign } from '../../enclave/core/keys.ts';
import type { Platform } from '../../enclave/core/platform.ts';

export const SIMULATED_MEASUREMENT = bytes32(`0x${'5a'.repeat(32)}`);

export class MemoryPlatform implements Platform {
  readonly measurement: Bytes32;
  readonly sealingKey: Uint8Array;
  readonly #authority: SigningKey;
  readonly #registers = new Map<Bytes16, Bytes32>();

  constructor(secret: Uint8Array, measurement = SIMULATED_MEASUREMENT) {
    this.measurement = measurement;
    this.sealingKey = keyedHash(secret, ascii('simulated sealing'));
    this.#authority = derivePartyKey(secret, 0);
  }

  get authority(): Address {
    return this.#authority.address;
  }

  quote(report: Uint8Array): Promise<{ authority: Address; signature: Hex }> {
    const signature = sign(quoteDigest(this.measurement, report), this.#authority);
    return Promise.resolve({ authority: this.authority, signature });
  }

  readRegister(log: Bytes16): Promise<Bytes32 | null> {
    return Promise.resolve(this.#registers.get(log) ?? null);
  }

  swapRegister(log: Bytes16, from: Bytes32 | null, to: Bytes32): Promise<boolean> {
    if ((this.#registers.get(log) ?? null) !== from) return Promise.resolve(false);
    this.#registers.set(log, to);
    return Promise.resolve(true);
  }
}
