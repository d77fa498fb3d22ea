/** Gas: the goals, and the snapshot that shows in a diff what a change costs. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import {
  type GasSnapshot,
  type GasTable,
  gasGoals,
  gasSnapshotSchema,
  gasTable,
  measureOnFreshChain,
} from './testing/gas.ts';

const run = promisify(execFile);
const program = join(import.meta.dirname, 'gas.js');

let gas: GasSnapshot;
beforeAll(async () => {
  gas = await measureOnFreshChain();
});

test('every call stays within its gas goal, and an exit with 400 pending payments within a transaction', () => {
  const over = Object.entries(gasGoals).filter(([name, goal]) => gas[name as keyof GasTable] > goal);
  expect(over, `measured: ${JSON.stringify(gas)}`).toEqual([]);
});

test('every call costs what the snapshot in the repository says', async () => {
  const kept = gasSnapshotSchema.parse(
    JSON.parse(await readFile(join(import.meta.dirname, 'gas-snapshot.json'), 'utf8')),
  );
  const hint = 'The gas of the contract changed. If that is meant, run "npm run gas -- --update" and commit the file.';
  expect(gas, hint).toEqual(kept);
});

test('the program prints the same numbers again, for machines and for people, and refuses what it does not know', async () => {
  const { stdout } = await run(process.execPath, [program, '--json']);
  expect(stdout).toBe(`${JSON.stringify(gas)}\n`);
  expect(Object.keys(gas)).toEqual([...Object.keys(gasGoals), 'evmVersion', 'optimizerRuns']);
  const table = gasTable(gas);
  for (const used of Object.keys(gasGoals)) {
    expect(table).toContain(gas[used as keyof GasTable].toLocaleString('en-US'));
  }
  await expect(run(process.execPath, [program, '--jsn'])).rejects.toMatchObject({ code: 2 });
});
