/** Small files that only their owner may read: written whole or not at all, mode 0600 from the first byte on. */

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, Failure, reasonOf } from './failure.ts';

const MAX_BYTES = 64 * 1024;

export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure(
      'DATA_NOT_WRITABLE',
      `Cannot use the directory ${path}: ${reasonOf(error)}. Choose another one.`,
      {
        cause: error,
      },
    );
  }
}

export async function writePrivateFile(path: string, text: string): Promise<void> {
  await makePrivateDirectory(dirname(path));
  const temporary = `${path}.${process.pid}`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** The file's text, or undefined where there is none. @throws Failure UNREADABLE_FILE */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > MAX_BYTES) throw new Failure('UNREADABLE_FILE', `${path} is larger than anything written there.`);
    return text;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (error instanceof Failure) throw error;
    throw new Failure('UNREADABLE_FILE', `Cannot read ${path}: ${reasonOf(error)}.`, { cause: error });
  }
}
