import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = import.meta.dirname;

interface Import {
  file: string;
  target: string;
}

/** Every import of the sources in a folder; imports of our own files as paths from the root. */
function importsOf(folder: string, options: { tests: boolean } = { tests: false }): Import[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && (options.tests || !isTest(name)))
    .map((name) => join(folder, name));
  return files.flatMap((file) => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    const targets = [...source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g)].map(
      (match) => match[1] ?? '',
    );
    return targets.map((target) => ({
      file,
      target: target.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), target)) : target,
    }));
  });
}

const isTest = (name: string): boolean => name.endsWith('.test.ts') || name.includes('testing/');
const isBuiltin = (target: string): boolean => target.startsWith('node:') || builtinModules.includes(target);
const under =
  (...folders: string[]) =>
  ({ target }: Import): boolean =>
    folders.some((folder) => target.startsWith(`${folder}/`));
const show = ({ file, target }: Import): string => `${file} imports ${target}`;

describe('imports go one way', () => {
  it('sees the imports that it judges', () => {
    expect(importsOf('enclave/core').map(show)).toContain('enclave/core/hash.ts imports hash-wasm');
    expect(importsOf('hub').length).toBeGreaterThan(20);
  });

  it('enclave/core, the image, imports nothing of ours outside it, and only @noble and hash-wasm', () => {
    const allowed = ({ target }: Import): boolean =>
      target.startsWith('enclave/core/') || target.startsWith('@noble/') || target === 'hash-wasm';
    const entry = (each: Import): boolean =>
      each.file === 'enclave/core/image.ts' && each.target === 'node:worker_threads';
    expect(
      importsOf('enclave/core')
        .filter((each) => !allowed(each) && !entry(each))
        .map(show),
    ).toEqual([]);
  });

  it('enclave/host never goes into the image', () => {
    const image = readFileSync(join(ROOT, 'dist/enclave/image.js'), 'utf8');
    expect(image).toContain('// enclave/core/image.ts');
    expect(image).not.toContain('// enclave/host/');
    expect(
      importsOf('enclave/host')
        .filter(under('hub', 'client', 'contracts', 'simulations'))
        .map(show),
    ).toEqual([]);
  });

  it('hub/core knows no socket, database, chain, clock or randomness', () => {
    const core = importsOf('hub/core');
    const outside = core.filter(
      ({ target }) =>
        ['ws', 'sqlite3', 'ethers'].includes(target) ||
        isBuiltin(target) ||
        /^(hub\/(?!core\/)|client|contracts|simulations|enclave\/host)/.test(target),
    );
    expect(outside.map(show)).toEqual([]);
    for (const file of new Set(core.map((each) => each.file))) {
      expect(`${file}: ${readFileSync(join(ROOT, file), 'utf8')}`).not.toMatch(
        /Date\.now|new Date\(|performance\.|Math\.random|crypto\.|setTimeout|setInterval|process\./,
      );
    }
  });

  it('enclave/core reads no clock and draws randomness at its entry alone', () => {
    for (const file of new Set(importsOf('enclave/core').map((each) => each.file))) {
      const source = readFileSync(join(ROOT, file), 'utf8');
      expect(`${file}: ${source}`).not.toMatch(
        /Date\.now|new Date\(|performance\.|Math\.random|setTimeout|setInterval|process\./,
      );
      if (file !== 'enclave/core/image.ts') expect(`${file}: ${source}`).not.toMatch(/getRandomValues|randomBytes/);
    }
  });

  it('client never imports hub, and neither does a contract', () => {
    expect(
      [...importsOf('client', { tests: true }), ...importsOf('contracts', { tests: true })]
        .filter(under('hub'))
        .map(show),
    ).toEqual([]);
  });

  it('hub never imports client or the enclave host', () => {
    expect(importsOf('hub').filter(under('client', 'enclave/host')).map(show)).toEqual([]);
  });

  it('nobody imports simulations but tests', () => {
    const all = ['hub', 'client', 'contracts', 'enclave'].flatMap((folder) => importsOf(folder));
    expect(all.filter(under('simulations')).map(show)).toEqual([]);
  });

  it('ethers, ws, sqlite3 and the contract build stay in the shells', () => {
    const ethers = ['hub', 'client', 'enclave']
      .flatMap((folder) => importsOf(folder))
      .filter(({ target }) => target === 'ethers');
    const places = new Set(ethers.map(({ file }) => file.split('/').slice(0, 2).join('/')));
    expect([...places].filter((place) => place.startsWith('hub/core') || place.startsWith('enclave'))).toEqual([]);
  });
});
