/**
 * Bundles the exploration with the enclave's sources, changed by the given edits, into a temporary directory, and loads
 * it. The edits are made while bundling: what ships (dist/enclave/image.js) contains neither them nor a switch.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');

/** The text after one edit; the text to be replaced must occur exactly once, or the edit has rotted. */
export function edited(text, edit) {
  const parts = text.split(edit.find);
  if (parts.length !== 2) {
    throw new Error(`${edit.file} holds the text of an edit ${parts.length - 1} times, not once: ${edit.find}`);
  }
  return parts.join(edit.replace);
}

function editing(edits) {
  return {
    name: 'edits',
    setup(builder) {
      builder.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(ROOT, path).replaceAll('\\', '/');
        const own = edits.filter((edit) => edit.file === file);
        if (own.length === 0) return undefined;
        return { contents: own.reduce(edited, await readFile(path, 'utf8')), loader: 'ts' };
      });
    },
  };
}

/** The exports of a source file of this folder, bundled with `edits`. */
export async function load(entry, edits = []) {
  const directory = await mkdtemp(join(tmpdir(), 'baro-explore-'));
  try {
    const outfile = join(directory, 'bundle.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, entry)],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      mainFields: ['module', 'main'],
      logLevel: 'error',
      outfile,
      plugins: [editing(edits)],
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
