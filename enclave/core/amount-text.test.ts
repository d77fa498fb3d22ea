import { expect, it } from 'vitest';
import { amountText } from './amount-text.ts';
import { address, NATIVE } from './ids.ts';

const TOKEN = address(`0x${'70'.repeat(20)}`);

it.each([
  [0n, '0 wei'],
  [7n, '7 wei'],
  [9_999_999n, '9999999 wei'],
  [10_000_000n, '0.01 gwei (10000000 wei)'],
  [1_000_000_000n, '1 gwei (1000000000 wei)'],
  [1_500_000_001n, '1.500000001 gwei (1500000001 wei)'],
  [10n ** 14n, '0.0001 ETH (100000000000000 wei)'],
  [10n ** 18n, '1 ETH (1000000000000000000 wei)'],
  [15n * 10n ** 17n, '1.5 ETH (1500000000000000000 wei)'],
])('%s of the native coin reads %s', (amount, text) => {
  expect(amountText(amount, NATIVE)).toBe(text);
});

it('counts base units of tokens, whose decimals it does not know', () => {
  expect([1n, 10n ** 18n].map((amount) => amountText(amount, TOKEN))).toEqual([
    '1 base unit',
    '1000000000000000000 base units',
  ]);
});
