#!/usr/bin/env node
/**
 * npm's solc behind the command line of the native compiler, as far as forge uses it: `--version`, and standard JSON
 * from stdin to stdout. So forge downloads no compiler, and compiles with the very one that builds the contract.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const solc = createRequire(import.meta.url)('solc');

/** As the native compiler does: what the input lacks is read from disk, below the base path. @param {string} path */
function readImport(path) {
  const option = process.argv.indexOf('--base-path');
  try {
    return { contents: readFileSync(resolve(option < 0 ? '.' : (process.argv[option + 1] ?? '.'), path), 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
}

if (process.argv.includes('--version')) {
  const [version = ''] = String(solc.version()).split('.Emscripten');
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8'), { import: readImport }));
}
