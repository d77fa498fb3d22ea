/** One conformance suite for every vault, then what only a disk can do to a file vault. */

import { fork } from 'node:child_process';
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Vault } from '../../enclave/host/vault.ts';
import { FileVault } from './file-vault.ts';
import { MemoryVault } from './memory-vault.ts';

const record = (text: string) => ({ bytes: new TextEncoder().encode(text), snapshot: false });
const snapshot = (text: string) => ({ ...record(text), snapshot: true });
const texts = async (vault: Vault): Promise<string[]> =>
  (await vault.load()).map((bytes) => new TextDecoder().decode(bytes));

const directories: string[] = [];
async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'baro-vault-'));
  directories.push(path);
  return path;
}
afterEach(async () => {
  for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true });
});

const vaults: Record<string, () => Promise<Vault & { close(): Promise<void>; readonly empty: boolean }>> = {
  memory: () => Promise.resolve(new MemoryVault()),
  files: async () => FileVault.open(await directory()),
};

describe.each(Object.entries(vaults))('a vault in %s', (_, start) => {
  it('is empty at first', async () => {
    const vault = await start();
    expect(vault.empty).toBe(true);
    expect(await texts(vault)).toEqual([]);
    await vault.close();
  });

  it('gives back what was appended, in order', async () => {
    const vault = await start();
    await vault.append(snapshot('s'));
    await Promise.all([vault.append(record('a')), vault.append(record('b')), vault.append(record('c'))]);
    expect(await texts(vault)).toEqual(['s', 'a', 'b', 'c']);
    expect(vault.empty).toBe(false);
    await vault.close();
  });

  it('keeps what came before a snapshot until something follows it, since the anchor may still be there', async () => {
    const vault = await start();
    await vault.append(snapshot('s1'));
    await vault.append(record('a'));
    await vault.append(snapshot('s2'));
    expect(await texts(vault)).toEqual(['s1', 'a', 's2']);
    await vault.append(record('b'));
    expect(await texts(vault)).toEqual(['s2', 'b']);
    await vault.close();
  });

  it.each([
    [3, ['s1', 'a', 's2']],
    [2, ['s1', 'a']],
    [1, ['s1']],
    [0, []],
  ])('cut to the first %i records, it has these and goes on from them', async (count, expected) => {
    const vault = await start();
    await vault.append(snapshot('s1'));
    await vault.append(record('a'));
    await vault.append(snapshot('s2'));
    await vault.truncate(count);
    expect(await texts(vault)).toEqual(expected);
    await vault.append(record('next'));
    expect((await texts(vault)).at(-1)).toBe('next');
    await vault.close();
  });

  it('keeps its own copy of what it is given', async () => {
    const vault = await start();
    const bytes = new Uint8Array([1, 2, 3]);
    const done = vault.append({ bytes, snapshot: true });
    bytes.fill(9);
    await done;
    expect(await vault.load()).toEqual([new Uint8Array([1, 2, 3])]);
    await vault.close();
  });
});

async function filled(path: string): Promise<string> {
  const vault = await FileVault.open(path);
  await vault.append(snapshot('snapshot'));
  await vault.append(record('first'));
  await vault.append(record('second'));
  await vault.close();
  const [name] = (await readdir(path)).filter((found) => found.endsWith('.log'));
  return join(path, name ?? 'missing');
}

describe('a vault in files', () => {
  it('is there again after it was closed, and after a snapshot as well', async () => {
    const path = await directory();
    await filled(path);
    const vault = await FileVault.open(path);
    expect(await texts(vault)).toEqual(['snapshot', 'first', 'second']);
    await vault.append(snapshot('again'));
    await vault.close();
    const after = await FileVault.open(path);
    expect(await texts(after)).toEqual(['snapshot', 'first', 'second', 'again']);
    await after.append(record('third'));
    await after.close();
    const last = await FileVault.open(path);
    expect(await texts(last)).toEqual(['again', 'third']);
    expect((await readdir(path)).filter((name) => name.startsWith('state-'))).toHaveLength(1);
    await last.close();
  });

  it('drops a torn tail wherever the write was torn, keeps all before it and goes on', async () => {
    const path = await directory();
    const file = await filled(path);
    const whole = await readFile(file);
    const secondAt = whole.length - (12 + 5 + 'second'.length);
    for (let length = secondAt + 1; length < whole.length; length++) {
      await writeFile(file, whole.subarray(0, length));
      const vault = await FileVault.open(path);
      expect(await texts(vault)).toEqual(['snapshot', 'first']);
      await vault.append(record('other'));
      expect(await texts(vault)).toEqual(['snapshot', 'first', 'other']);
      await vault.close();
    }
  });

  it('takes zeros that a crash left at the end for a torn tail', async () => {
    const path = await directory();
    const file = await filled(path);
    await truncate(file, (await stat(file)).size + 4_096);
    const vault = await FileVault.open(path);
    expect(await texts(vault)).toEqual(['snapshot', 'first', 'second']);
    await vault.close();
  });

  it('refuses in words a file in which a record that is not the last was damaged, and does not touch it', async () => {
    const path = await directory();
    const file = await filled(path);
    const whole = await readFile(file);
    const lastAt = whole.length - (12 + 5 + 'second'.length);
    await fc.assert(
      fc.asyncProperty(fc.nat(lastAt - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        await writeFile(file, damaged);
        const vault = await FileVault.open(path);
        await expect(vault.load()).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
        await vault.close();
        expect(Uint8Array.from(await readFile(file))).toEqual(damaged);
      }),
      { numRuns: 40 },
    );
  });

  it('never gives out a last record in which a byte was flipped', async () => {
    const path = await directory();
    const file = await filled(path);
    const whole = await readFile(file);
    for (let at = whole.length - (12 + 5 + 'second'.length); at < whole.length; at++) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await writeFile(file, damaged);
      const vault = await FileVault.open(path);
      expect(await texts(vault)).toEqual(['snapshot', 'first']);
      await vault.close();
    }
  });

  it('refuses a second user of the same directory, in this process and in another, until the first is gone', async () => {
    const path = await directory();
    const first = await FileVault.open(path);
    await expect(FileVault.open(path)).rejects.toMatchObject({ code: 'DATA_IN_USE' });
    await first.close();

    const child = fork(new URL('./lock-holder.js', import.meta.url), [join(path, 'lock.sqlite')]);
    await new Promise((resolve) => child.once('message', resolve));
    await expect(FileVault.open(path)).rejects.toMatchObject({ code: 'DATA_IN_USE' });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const second = await FileVault.open(path);
    await second.close();
  });

  it('acknowledges nothing on a full disk, says so, and goes on when there is room', async () => {
    const path = await directory();
    const disk = { room: Number.POSITIVE_INFINITY };
    const vault = await FileVault.open(path, { openFile: (file, flags) => openOnDisk(disk, file, flags) });
    await vault.append(snapshot('s'));
    await vault.append(record('a'));
    disk.room = 7;
    const refused = await Promise.allSettled([vault.append(record('b')), vault.append(record('c'))]);
    for (const result of refused) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ENOSPC' } });
    await expect(vault.append(snapshot('s2'))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await texts(vault)).toEqual(['s', 'a']);
    disk.room = Number.POSITIVE_INFINITY;
    await vault.append(record('b'));
    await vault.append(snapshot('s2'));
    await vault.append(record('c'));
    expect(await texts(vault)).toEqual(['s2', 'c']);
    await vault.close();
  });

  it('refuses work after it was closed', async () => {
    const vault = await FileVault.open(await directory());
    await vault.close();
    await expect(vault.append(record('late'))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

/** A real file on a disk that has `room` bytes left: the write that does not fit is cut short, the next one fails. */
async function openOnDisk(disk: { room: number }, path: string, flags: string): Promise<FileHandle> {
  const handle = await open(path, flags);
  const write = handle.write.bind(handle);
  const limited = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
    if (disk.room <= 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const fits = Math.min(length, disk.room);
    disk.room -= fits;
    return write(bytes, offset, fits, position);
  };
  const faulty: unknown = limited;
  return Object.assign(handle, { write: faulty as FileHandle['write'] });
}
