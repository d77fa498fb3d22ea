import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { address, NATIVE } from '../core/ids.ts';
import type { OwnerPolicy } from '../core/order.ts';
import { Enclave } from './enclave.ts';
import { measure, readImage } from './image-file.ts';
import { EmulatedPlatform } from './platform.ts';
import type { Vault } from './vault.ts';

const POLICY: OwnerPolicy = { forwarding: [], acceptAnything: true, prepareLast: false, maxPending: 100 };
const invoice = () => ({
  kind: 'invoice' as const,
  token: NATIVE,
  amount: 5n,
  expiry: Math.floor(Date.now() / 1000) + 60,
  description: '',
});

/** The smallest honest disk: what is appended is there at once. */
class ListVault implements Vault {
  records: Uint8Array[] = [];
  /** Thrown by the next appends, in order. */
  failures: Error[] = [];
  append(record: { bytes: Uint8Array; snapshot: boolean }): Promise<void> {
    const failure = this.failures.shift();
    if (failure) return Promise.reject(failure);
    this.records = record.snapshot ? [record.bytes] : [...this.records, record.bytes];
    return Promise.resolve();
  }
  load(): Promise<Uint8Array[]> {
    return Promise.resolve([...this.records]);
  }
  truncate(count: number): Promise<void> {
    this.records = this.records.slice(0, count);
    return Promise.resolve();
  }
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function platformIn(directory?: string, image = readImage()) {
  const place = directory ?? (await mkdtemp(join(tmpdir(), 'baro-platform-')));
  const platform = await EmulatedPlatform.open(place, image);
  cleanups.push(() => platform.close().then(() => (directory ? undefined : rm(place, { recursive: true }))));
  return { platform, place };
}

async function created(vault = new ListVault(), extra: { onFullDisk?: () => void } = {}) {
  const { platform, place } = await platformIn();
  const attestation = { authorities: [platform.authority], measurements: [platform.measurement], acceptEmulated: true };
  const contract = address(`0x${'c0'.repeat(20)}`);
  const enclave = await Enclave.create({
    platform,
    vault,
    chainId: 1n,
    contract,
    attestation,
    policy: POLICY,
    ...extra,
  });
  cleanups.push(() => enclave.close());
  return { enclave, platform, place, vault };
}

describe('an enclave in its worker', () => {
  it('attests to the exact image that was started, with an identity that survives a restart', async () => {
    const { enclave, platform, vault } = await created();
    const { credential } = await enclave.run({ kind: 'describe' });
    expect(credential.quote).toMatchObject({
      platform: 'emulated',
      measurement: platform.measurement,
      authority: platform.authority,
    });
    expect(platform.measurement).toBe(measure(readImage().bytes).measurement);
    await enclave.close();
    const again = await Enclave.open({ platform, vault });
    cleanups.push(() => again.close());
    expect((await again.run({ kind: 'describe' })).credential).toEqual(credential);
  });

  it('carries many commands in one frame and one record', async () => {
    const { enclave, vault } = await created();
    const before = vault.records.length;
    const hashes = await Promise.all(Array.from({ length: 200 }, async () => (await enclave.run(invoice())).hash));
    expect(new Set(hashes).size).toBe(200);
    expect(vault.records.length).toBe(before + 1);
  });

  it('refuses as a rejection with a code, and goes on', async () => {
    const { enclave } = await created();
    await expect(enclave.run({ ...invoice(), amount: 0n })).rejects.toMatchObject({
      name: 'EnclaveRefusal',
      code: 'AMOUNT_OUT_OF_RANGE',
    });
    expect((await enclave.run(invoice())).kind).toBe('invoice');
  });

  it('acknowledges nothing while the disk is full, and goes on when there is room', async () => {
    const vault = new ListVault();
    let told = 0;
    const { enclave } = await created(vault, { onFullDisk: () => told++ });
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    vault.failures.push(full, full);
    expect((await enclave.run(invoice())).kind).toBe('invoice');
    expect(told).toBe(2);
    expect(vault.records).toHaveLength(2);
  });

  it('stops where the disk fails otherwise: what was decided was never released', async () => {
    const { enclave, vault, platform } = await created();
    vault.failures.push(Object.assign(new Error('input/output error'), { code: 'EIO' }));
    await expect(enclave.run(invoice())).rejects.toMatchObject({ code: 'VAULT_FAILED' });
    await expect(enclave.run({ kind: 'describe' })).rejects.toMatchObject({ code: 'VAULT_FAILED' });
    const again = await Enclave.open({ platform, vault });
    cleanups.push(() => again.close());
    expect((await again.run({ kind: 'listInvoices' })).invoices).toEqual([]);
  });

  it('finds out a data directory that was rolled back', async () => {
    const { enclave, vault, platform } = await created();
    const old = [...vault.records];
    await enclave.run(invoice());
    await enclave.close();
    vault.records = old;
    await expect(Enclave.open({ platform, vault })).rejects.toMatchObject({ code: 'STALE' });
  });

  it('runs once: the second instance on the same state halts at its first change', async () => {
    const { enclave, vault, platform } = await created();
    const copy = new ListVault();
    copy.records = [...vault.records];
    const fork = await Enclave.open({ platform, vault: copy });
    cleanups.push(() => fork.close());
    await enclave.run(invoice());
    await expect(fork.run(invoice())).rejects.toMatchObject({ code: 'ANCHOR_FAILED' });
  });

  it('opens on its own platform only', async () => {
    const { enclave, vault } = await created();
    await enclave.run(invoice());
    await enclave.close();
    const { platform: other } = await platformIn();
    await expect(Enclave.open({ platform: other, vault })).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('opens under its own image only: one changed byte is another measurement and another sealing key', async () => {
    const { enclave, vault, place, platform } = await created();
    await enclave.run(invoice());
    await enclave.close();
    const patched = measure(Buffer.concat([readImage().bytes, Buffer.from('\n')]));
    const { platform: changed } = await platformIn(place, patched);
    expect(changed.measurement).not.toBe(platform.measurement);
    expect(changed.authority).toBe(platform.authority);
    await expect(Enclave.open({ platform: changed, vault })).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('cannot be reached but through the gate: what is no call is dropped or refused', async () => {
    const { platform } = await platformIn();
    const { gate } = platform.start();
    cleanups.push(() => gate.terminate());
    const reply = new Promise<Uint8Array>((resolve) => gate.once('message', resolve));
    gate.postMessage('state, please');
    gate.postMessage({ kind: 'listOrders' });
    gate.postMessage(new Uint8Array([255, 1, 2]));
    expect(Buffer.from(await reply).toString('latin1')).toContain('MALFORMED');
  });

  it('says what is wrong with a damaged platform directory', async () => {
    const { place } = await platformIn();
    expect(await readFile(join(place, 'EMULATED-platform.key'))).toHaveLength(32);
    await writeFile(join(place, 'EMULATED-platform.key'), 'short');
    await expect(EmulatedPlatform.open(place)).rejects.toMatchObject({ code: 'PLATFORM_FAILED' });
  });
});
