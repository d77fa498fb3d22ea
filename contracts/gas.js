/**
 * What the contract's calls cost: `npm run gas` prints a table, with --json one line for machines, and with --update
 * also writes gas-snapshot.json, which a test compares.
 *
 * The measurement is TypeScript (testing/gas.ts): it is bundled into node_modules/.cache and run from there.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { compileContracts } from './compile.js';

const here = import.meta.dirname;
const flags = process.argv.slice(2);
const unknown = flags.find((flag) => flag !== '--json' && flag !== '--update');

if (unknown === undefined) await measure();
else {
  console.error(`"${unknown}" is unknown. Usage: npm run gas -- [--json] [--update]`);
  process.exitCode = 2;
}

async function measure() {
  const { measureOnFreshChain, gasTable } = await bundled();
  const snapshot = await measureOnFreshChain();
  console.log(flags.includes('--json') ? JSON.stringify(snapshot) : gasTable(snapshot));
  if (!flags.includes('--update')) return;
  await writeFile(join(here, 'gas-snapshot.json'), `${JSON.stringify(snapshot, null, 2)}\n`);
}

/** @returns {Promise<typeof import('./testing/gas.ts')>} */
async function bundled() {
  const outfile = join(here, '..', 'node_modules', '.cache', 'baro', `gas.${process.pid}.mjs`);
  await compileContracts();
  await mkdir(dirname(outfile), { recursive: true });
  try {
    await build({
      entryPoints: [join(here, 'testing', 'gas.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(outfile, { force: true });
  }
}
