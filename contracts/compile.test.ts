import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compileContracts } from './compile.js';
import { paymentChannelsBytecode } from './generated/PaymentChannels.ts';

test('unchanged sources are not compiled again', async () => {
  const file = join(import.meta.dirname, 'generated', 'PaymentChannels.ts');
  await compileContracts();
  const before = await stat(file);
  await compileContracts();
  expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
});

test('the code of the contract leaves room below the limit of a chain', () => {
  expect(paymentChannelsBytecode.length / 2).toBeLessThan(16_384);
});
