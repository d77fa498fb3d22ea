/** What an enclave needs from the platform that measured and started it (PROTOCOL.md section 6). */

import type { Address, Bytes16, Bytes32, Hex } from './ids.ts';

export interface Platform {
  /** SHA-256 of the image that was started. */
  readonly measurement: Bytes32;
  /** 32 bytes bound to this platform and this measurement; no other image gets them. */
  readonly sealingKey: Uint8Array;
  /** The authority's signature over `quoteDigest(measurement, report)`. */
  quote(report: Uint8Array): Promise<{ authority: Address; signature: Hex }>;
  /** The anchored record's hash, or null where this log was never anchored here. */
  readRegister(log: Bytes16): Promise<Bytes32 | null>;
  /** Atomic and durable: true where the register was `from` (null: absent) and is `to` now; false changes nothing. */
  swapRegister(log: Bytes16, from: Bytes32 | null, to: Bytes32): Promise<boolean>;
}
