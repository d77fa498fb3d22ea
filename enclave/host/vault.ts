/** What an enclave's host needs from a disk. Records are opaque: sealed inside, opened inside. */

export interface Vault {
  /**
   * Resolves when the record would survive a power cut. A snapshot makes all records before it unnecessary.
   * Rejects with nothing half done as far as `load` can tell; the same record may be appended again.
   */
  append(record: { bytes: Uint8Array; snapshot: boolean }): Promise<void>;
  /** Records from the last snapshot on, oldest first; a torn tail is not part of it. */
  load(): Promise<Uint8Array[]>;
  /** Keeps the first `count` records of what `load` returned. */
  truncate(count: number): Promise<void>;
}
