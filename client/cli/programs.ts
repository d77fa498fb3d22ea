/** Where this package's built programs are, wherever the code that asks was bundled to. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.ts';

function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new Failure('NOT_BUILT', 'This program is not inside its package. Install it again.');
    directory = parent;
  }
  return directory;
}

/** @throws Failure NOT_BUILT */
export function programFile(name: 'hub/main.js' | 'client/cli/main.js'): string {
  const file = join(packageRoot(), 'dist', name);
  if (existsSync(file)) return file;
  throw new Failure('NOT_BUILT', `${file} does not exist. Build the programs first: npm run build`);
}
