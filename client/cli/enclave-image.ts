/**
 * DATA/enclave-image.js: the enclave image that a terminal was created with. Sealed state opens under that image alone
 * (PROTOCOL.md section 6), so an upgraded installation would lock a terminal out: it goes on with its copy instead.
 *
 * The copy is measured at every start and never trusted further than that: state that another image sealed is not opened.
 */

import { chmod, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type EnclaveImage, measure, readImage } from '../../enclave/host/image-file.ts';
import { codeOf, Failure } from './failure.ts';
import { makePrivateDirectory } from './private-file.ts';

export const imageFile = (dataDirectory: string): string => join(dataDirectory, 'enclave-image.js');
export const stateDirectory = (dataDirectory: string): string => join(dataDirectory, 'state');

export interface ChosenImage {
  image: EnclaveImage;
  /** Of the installed package: new terminals start with it. */
  installed: EnclaveImage['measurement'];
}

/**
 * The image for this data directory; a new terminal gets a copy of the installed one.
 * @param measurement what the terminal was measured as at its last start, undefined where that is not known
 * @throws Failure FOREIGN, IMAGE_LOST; ImageMissing where the package was not built
 */
export async function chooseImage(dataDirectory: string, measurement: string | undefined): Promise<ChosenImage> {
  const installed = readImage();
  const chosen = (image: EnclaveImage): ChosenImage => ({ image, installed: installed.measurement });
  const copy = await readCopy(dataDirectory);
  const isNew = !(await hasState(dataDirectory));
  if (isNew || (measurement !== undefined && installed.measurement === measurement)) {
    if (copy?.measurement !== installed.measurement) await writeCopy(dataDirectory, installed.bytes);
    return chosen(installed);
  }
  // State from before copies were kept: it was sealed by what is installed, or it will not open.
  if (!copy && measurement === undefined) return chosen(installed);
  if (!copy) {
    throw new Failure(
      'IMAGE_LOST',
      `${imageFile(dataDirectory)} is missing, and the installed enclave image is another one than this terminal was ` +
        `created with (${measurement ?? ''}). Restore the file from a backup, or install that version of baro again; ` +
        'the sealed state opens with nothing else.',
    );
  }
  if (measurement !== undefined && copy.measurement !== measurement) throw changedImage(dataDirectory);
  return chosen(copy);
}

/** After a start that went well: state of an older version gets its copy too. */
export async function keepImage(dataDirectory: string, image: EnclaveImage): Promise<void> {
  const copy = await readCopy(dataDirectory);
  if (copy?.measurement !== image.measurement) await writeCopy(dataDirectory, image.bytes);
}

/** The same bytes would have had the same measurement: what the enclave calls FOREIGN. */
export const changedImage = (dataDirectory: string): Failure =>
  new Failure(
    'FOREIGN',
    `${imageFile(dataDirectory)} is not the enclave image that this terminal was created with: its bytes were changed, ` +
      'or the data directory is another one’s or on another platform. Nothing was opened. Restore the file from a backup ' +
      '(or start with the right --platform); the money in the channels is not affected.',
  );

async function readCopy(dataDirectory: string): Promise<EnclaveImage | undefined> {
  try {
    return measure(await readFile(imageFile(dataDirectory)));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Failure('UNREADABLE_FILE', `${imageFile(dataDirectory)} cannot be read; check who owns it.`, {
      cause: error,
    });
  }
}

/** Whole or not at all, and on disk before the first state is sealed. */
async function writeCopy(dataDirectory: string, bytes: Buffer): Promise<void> {
  await makePrivateDirectory(dataDirectory);
  const path = imageFile(dataDirectory);
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(draft, 0o400);
  await rename(draft, path);
}

async function hasState(dataDirectory: string): Promise<boolean> {
  const names = await readdir(stateDirectory(dataDirectory)).catch(() => []);
  return names.some((name) => name.endsWith('.log'));
}
