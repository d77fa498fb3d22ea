import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('.', import.meta.url);
const sources = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
const allowed = /^(\.\/[a-z-]+\.ts|\.\.\/\.\.\/enclave\/core\/[a-z-]+\.ts|graphology)$/;

test.each(sources)('%s imports only the core, the enclave’s core and the graph library', (name) => {
  const text = readFileSync(new URL(name, folder), 'utf8');
  const imported = [...text.matchAll(/from '([^']+)'/g), ...text.matchAll(/import\('([^']+)'\)/g)].map(
    ([, from]) => from,
  );
  expect(imported.filter((from) => !allowed.test(from ?? ''))).toEqual([]);
});

test.each(sources)('%s reads no clock, no randomness and no process', (name) => {
  const text = readFileSync(new URL(name, folder), 'utf8');
  expect(text).not.toMatch(
    /Date\.now|new Date|Math\.random|performance\.|crypto|process\.|setTimeout|setInterval|setImmediate/,
  );
});
