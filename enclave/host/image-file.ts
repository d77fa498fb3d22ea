/** Finds the enclave image that this installation was built with, and measures it. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bytes32 } from '../core/ids.ts';

/** The exact bytes of an image, and their SHA-256. */
export interface EnclaveImage {
  bytes: Buffer;
  measurement: Bytes32;
}

/** The image could not be read; the message says how to build it. */
export class ImageMissing extends Error {
  readonly code = 'IMAGE_MISSING';
}

const IMAGE_PATH = join('dist', 'enclave', 'image.js');

/** The directory of this package, from the source tree and from the built programs alike. */
function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new ImageMissing('No package.json is found above the program; install the package anew.');
    directory = parent;
  }
  return directory;
}

export function measure(bytes: Buffer): EnclaveImage {
  return { bytes, measurement: `0x${createHash('sha256').update(bytes).digest('hex')}` as Bytes32 };
}

/** @throws ImageMissing where the package was not built */
export function readImage(path = join(packageRoot(), IMAGE_PATH)): EnclaveImage {
  try {
    return measure(readFileSync(path));
  } catch (cause) {
    throw new ImageMissing(`The enclave image ${path} cannot be read; build it with "npm run build".`, { cause });
  }
}
