/**
 * The build: contract → contracts/generated, enclave image → dist/enclave/image.js, programs → dist.
 *
 * The enclave image is one file without external imports (but Node's own), so that the bytes which the platform
 * measures are the bytes that run (PROTOCOL.md section 6). It is not minified: whoever audits a measurement can read it.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { compileContracts } from './contracts/compile.js';

const programs = {
  'client/cli/main': 'client/cli/main.ts',
  'hub/main': 'hub/main.ts',
  'client/index': 'client/index.ts',
};

const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' };

/** Built beside, then swapped in: a build that fails leaves the last good one. */
const draft = 'dist.draft';
await rm(draft, { recursive: true, force: true });
await mkdir(draft, { recursive: true });
await compileContracts();
await Promise.all([
  build({
    ...common,
    entryPoints: ['enclave/core/image.ts'],
    outfile: `${draft}/enclave/image.js`,
    sourcemap: false,
    legalComments: 'none',
    // The modules of hash-wasm come apart, its one-piece build does not: two hashes instead of thirty in what is measured.
    mainFields: ['module', 'main'],
    charset: 'utf8',
  }),
  build({
    ...common,
    entryPoints: programs,
    outdir: draft,
    splitting: true,
    packages: 'external',
    sourcemap: 'linked',
  }),
]);
await rm('dist', { recursive: true, force: true });
await rename(draft, 'dist');
