import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stage, setStage } from './testing/fixture.ts';
import { type GasTable, gasGoals, measureGas } from './testing/gas.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.chain.stop());

test('every call stays within its gas goal, and an exit with 400 pending payments within a transaction', async () => {
  const gas = await measureGas(stage);
  const over = Object.entries(gas).filter(([name, used]) => used > gasGoals[name as keyof GasTable]);
  expect(
    over,
    `measured: ${Object.entries(gas)
      .map(([name, used]) => `${name} ${used}`)
      .join(', ')}`,
  ).toEqual([]);
  if (process.env['BARO_GAS'] === '1') console.log(gas);
}, 120_000);
