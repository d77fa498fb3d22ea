/**
 * Runs the tests of the contract that are written in Solidity: unit, fuzz with 10,000 runs each, invariants, hostile
 * tokens and receivers (contracts/forge). What forge reports is the message of a failure here.
 */

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { evmVersion, optimizerRuns } from './compile.js';
import { foundryBinary } from './foundry.ts';

const FORGE_MS = 600_000;

/** Runs forge in this folder. @returns exit code and all output */
async function forge(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(foundryBinary('forge'), args, {
    cwd: import.meta.dirname,
    env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}

test(
  'every Solidity test of forge passes: exits, stale exits, strangers, conservation',
  async () => {
    const { code, output } = await forge('test', '--color', 'never');
    expect(code, output).toBe(0);
    for (const suite of ['ExitsTest', 'StaleExitsTest', 'StrangersTest', 'ConservationTest']) {
      expect(output).toMatch(new RegExp(`Ran \\d+ tests for \\S+:${suite}`));
    }
    expect(output).toMatch(/ 0 failed, 0 skipped/);
    expect(output).toMatch(/\(runs: 10000,/);
  },
  FORGE_MS,
);

test('forge compiles with the settings that the contract is built with', async () => {
  const settings = await readFile(join(import.meta.dirname, 'foundry.toml'), 'utf8');
  expect(settings).toContain(`evm_version = "${evmVersion}"`);
  expect(settings).toContain(`optimizer_runs = ${optimizerRuns.toLocaleString('en-US').replaceAll(',', '_')}`);
  expect(settings).toContain('via_ir = true');
  expect(settings).toContain('offline = true');
});
