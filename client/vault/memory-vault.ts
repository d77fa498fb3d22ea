/** A vault without a disk, for simulations and tests: keeps and forgets records as the file vault does. */

import type { Vault } from '../../enclave/host/vault.ts';

export class MemoryVault implements Vault {
  #records: { bytes: Uint8Array; snapshot: boolean }[] = [];

  get empty(): boolean {
    return this.#records.length === 0;
  }

  append(record: { bytes: Uint8Array; snapshot: boolean }): Promise<void> {
    const last = this.#records.at(-1);
    if (last?.snapshot) this.#records = [last];
    this.#records.push({ bytes: new Uint8Array(record.bytes), snapshot: record.snapshot });
    return Promise.resolve();
  }

  load(): Promise<Uint8Array[]> {
    return Promise.resolve(this.#records.map((record) => new Uint8Array(record.bytes)));
  }

  truncate(count: number): Promise<void> {
    if (count > this.#records.length) throw new RangeError(`asked to keep ${count} records`);
    this.#records = this.#records.slice(0, count);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
