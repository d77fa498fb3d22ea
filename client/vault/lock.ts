/**
 * One process for one data directory, enforced by the kernel: an exclusive SQLite transaction on a file of its own,
 * held as long as the process lives. Unlike a file with a process number it cannot be left behind by a crash.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Database, isBusy } from '../database.ts';
import { VaultError } from './vault-error.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/** @throws VaultError DATA_IN_USE where another process, or another part of this one, holds it */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const holderFile = join(directory, 'lock.pid');
  const database = await Database.open(join(directory, 'lock.sqlite'));
  try {
    await database.execute('pragma busy_timeout = 0; begin exclusive;');
  } catch (error) {
    await database.close();
    if (!isBusy(error)) throw error;
    const holder = await readFile(holderFile, 'utf8').catch(() => 'unknown');
    throw new VaultError(
      {
        code: 'DATA_IN_USE',
        message: `${directory} is in use by another process (number ${holder.trim()}). Stop that one first, or choose another data directory: a terminal runs once.`,
      },
      { cause: error },
    );
  }
  // For people only: the lock is the transaction.
  await writeFile(holderFile, `${process.pid}\n`).catch(() => undefined);
  return {
    async release() {
      await database.execute('rollback').catch(() => undefined);
      await database.close();
    },
  };
}
