import { describe, expect, it } from 'vitest';
import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import { formatAmount, formatEth, formatExactly, parseAmount } from './amount.ts';
import { Failure } from './failure.ts';

function refusal(text: string): string {
  try {
    parseAmount(text);
  } catch (error) {
    if (error instanceof Failure) return `${error.code} ${error.exitCode} ${error.message}`;
  }
  return 'accepted';
}

describe('parseAmount', () => {
  it.each([
    ['1', 1n],
    ['1000wei', 1000n],
    ['20gwei', 20_000_000_000n],
    ['20 gwei', 20_000_000_000n],
    ['1.5eth', 1_500_000_000_000_000_000n],
    ['1.5 ETH', 1_500_000_000_000_000_000n],
    ['0.000000000000000001ether', 1n],
    ['0.5gwei', 500_000_000n],
    [MAX_AMOUNT.toString(), MAX_AMOUNT],
  ])('reads %s exactly', (text, value) => {
    expect(parseAmount(text)).toBe(value);
  });

  it('keeps every digit of a number that a float would round', () => {
    expect(parseAmount('9007199254740993.000000000000000001eth')).toBe(9007199254740993000000000000000001n);
  });

  it.each([
    ['0', 'zero'],
    ['0.0eth', 'zero'],
    ['-1', 'negative'],
    ['-0.5eth', 'negative'],
    ['1.5', 'base units are whole'],
    ['1.5wei', 'base units are whole'],
    ['0.0000000001gwei', '10 decimals; gwei has 9'],
    ['1.0000000000000000001eth', '19 decimals; eth has 18'],
    [(MAX_AMOUNT + 1n).toString(), '2^128 - 1'],
    ['340282366920938463464eth', '2^128 - 1'],
    ['1e18', 'not a number'],
    ['1,5eth', 'not a number'],
    ['1_000', 'not a number'],
    ['0x10', 'not a number'],
    ['.5eth', 'not a number'],
    ['5.eth', 'not a number'],
    ['', 'not a number'],
    ['eth', 'not a number'],
    ['1 bitcoin', 'unknown unit "bitcoin"'],
    ['1 toString', 'unknown unit "toString"'],
    ['9'.repeat(100_000), 'not a number'],
  ])('refuses %s', (text, why) => {
    expect(refusal(text)).toContain(why);
    expect(refusal(text)).toMatch(/^INVALID_AMOUNT 2 /);
    expect(refusal(text).length).toBeLessThan(300);
  });
});

describe('formatAmount', () => {
  it.each([
    [0n, '0 ETH'],
    [1n, '1 wei'],
    [9_999_999n, '9999999 wei'],
    [10_000_000n, '0.01 gwei'],
    [20_000_000_000n, '20 gwei'],
    [1_500_000_000_000_000_000n, '1.5 ETH'],
    [-1_500_000_000_000_000_000n, '-1.5 ETH'],
    [1_000_000_000_000_000_001n, '1.000000000000000001 ETH'],
  ])('writes %s as %s', (value, text) => {
    expect(formatAmount(value)).toBe(text);
  });

  it('writes what parseAmount reads back', () => {
    for (const value of [1n, 10n ** 7n, 123_456_789_012n, 10n ** 14n, 10n ** 18n + 7n, MAX_AMOUNT]) {
      expect(parseAmount(formatAmount(value))).toBe(value);
    }
  });

  it('keeps to one unit where columns need it', () => {
    expect([formatEth(-12_000_000_000n), formatEth(0n)]).toEqual(['-0.000000012 ETH', '0 ETH']);
  });

  it('has the exact base units at hand', () => {
    expect(formatExactly(1_500_000_000_000_000_000n)).toBe('1.5 ETH (1500000000000000000 wei)');
    expect(formatExactly(7n)).toBe('7 wei');
  });
});
