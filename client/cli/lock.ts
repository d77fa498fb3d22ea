/**
 * One daemon per data directory. Two would race for the enclave's register, and the loser would be dead for good; it is
 * kinder to stop the second one at the door.
 */

import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, Failure } from './failure.ts';
import { makePrivateDirectory } from './private-file.ts';

/**
 * Takes the directory for this process. @returns gives it back
 * @throws Failure DATA_IN_USE
 */
export async function lockDirectory(dataDirectory: string): Promise<() => Promise<void>> {
  await makePrivateDirectory(dataDirectory);
  const file = join(dataDirectory, 'daemon.lock');
  if (!(await claim(file))) {
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (isAlive(holder)) throw inUse(dataDirectory, holder, file);
    // Left behind by a process that was killed. Of several that come to this point at once, one claims it.
    await rm(file, { force: true });
    if (!(await claim(file))) throw inUse(dataDirectory, holder, file);
  }
  return () => rm(file, { force: true });
}

async function claim(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(`${process.pid}\n`);
    await handle.close();
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

const inUse = (dataDirectory: string, pid: number, file: string): Failure =>
  new Failure(
    'DATA_IN_USE',
    `Process ${pid} already runs a terminal on ${dataDirectory}. Use it, or stop it first (kill ${pid}). ` +
      `If that process is something else, remove ${file}.`,
  );
