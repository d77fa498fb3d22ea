import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOwnerKey, ownerKeyFile } from './owner-key.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-owner-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('loadOwnerKey', () => {
  it('makes a key once, readable by its owner alone, in a file whose name says what it is', async () => {
    const first = await loadOwnerKey(directory);
    expect(first.created).toBe(true);
    const file = ownerKeyFile(directory);
    expect(file).toContain('INSECURE');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, 'utf8')).trim()).toBe(first.wallet.privateKey);
    const again = await loadOwnerKey(directory);
    expect({ created: again.created, address: again.wallet.address }).toEqual({
      created: false,
      address: first.wallet.address,
    });
    expect(again.warning).toContain('INSECURE');
  });

  it('uses the key file it was given and makes none', async () => {
    const file = join(directory, 'mine');
    await expect(loadOwnerKey(directory, file)).rejects.toMatchObject({ code: 'OWNER_KEY_MISSING', exitCode: 2 });
    await writeFile(file, `  0x${'11'.repeat(32)}\n`);
    expect((await loadOwnerKey(directory, file)).wallet.privateKey).toBe(`0x${'11'.repeat(32)}`);
    await expect(stat(ownerKeyFile(directory))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['', '0x', 'ff'.repeat(32), `0x${'00'.repeat(32)}`, `0x${'fe'.repeat(31)}`, `0x${'ff'.repeat(32)}`])(
    'refuses %j as a key, without repeating it',
    async (text) => {
      await writeFile(ownerKeyFile(directory), text);
      const refused = loadOwnerKey(directory);
      await expect(refused).rejects.toMatchObject({ code: 'OWNER_KEY_MALFORMED' });
      await expect(refused).rejects.not.toHaveProperty('cause');
      if (text.length > 4) await expect(refused).rejects.not.toThrow(text.slice(2));
    },
  );

  it('says when the file cannot be read', async () => {
    // A directory in its place: unreadable also for root, whom no file mode stops.
    await mkdir(ownerKeyFile(directory));
    await expect(loadOwnerKey(directory)).rejects.toMatchObject({ code: 'UNREADABLE_FILE' });
  });
});
