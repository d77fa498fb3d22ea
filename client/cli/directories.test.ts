import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireApart } from './directories.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-directories-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const apart = async (data: string, platform: string): Promise<boolean> =>
  await requireApart({ data: join(directory, data), platform: join(directory, platform) }).then(
    () => true,
    () => false,
  );

describe('requireApart', () => {
  it('accepts neighbours, also with names that begin alike', async () => {
    expect(await apart('data', 'platform')).toBe(true);
    expect(await apart('data', 'data-platform')).toBe(true);
    expect(await apart('data', '..platform')).toBe(true);
  });

  it('refuses one inside the other, whether they exist or not', async () => {
    expect(await apart('data', 'data/platform')).toBe(false);
    expect(await apart('data', 'data')).toBe(false);
    expect(await apart('platform/data', 'platform')).toBe(false);
    expect(await apart('data', 'other/../data/deep/platform')).toBe(false);
  });

  it('sees through symbolic links', async () => {
    await mkdir(join(directory, 'data'));
    await symlink(join(directory, 'data'), join(directory, 'link'));
    expect(await apart('data', 'link/platform')).toBe(false);
  });
});
