/** Gas: the goals, and the snapshot that shows in a diff what a change costs. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type GasSnapshot, type GasTable, gasGoals, gasSnapshotSchema, measureOnFreshChain } from './testing/gas.ts';

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
