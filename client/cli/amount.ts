/**
 * Amounts of the chain's native coin as people write and read them. Exact in both directions: nothing is rounded, and
 * a number that cannot be meant exactly is refused where it enters.
 */

import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import { usageFailure } from './failure.ts';

const DECIMALS = { wei: 0, gwei: 9, eth: 18, ether: 18 } as const;
type Unit = keyof typeof DECIMALS;
const MAX_TEXT = 80;

const isUnit = (text: string): text is Unit => Object.hasOwn(DECIMALS, text);

/**
 * Base units from `1.5eth`, `20 gwei`, `1000wei`, or a plain integer (base units).
 * @throws Failure INVALID_AMOUNT for zero, negatives, more decimals than the unit has, and more than 2^128 - 1
 */
export function parseAmount(text: string): bigint {
  const shown = JSON.stringify(text.slice(0, MAX_TEXT));
  const refuse = (why: string) => usageFailure('INVALID_AMOUNT', `The amount ${shown} ${why}`);
  const match = text.length > MAX_TEXT ? null : /^(-?)(\d+)(?:\.(\d+))?\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) {
    throw refuse('is not a number: write 1.5eth, 20gwei, 1000wei, or an integer of base units without separators.');
  }
  const [, minus = '', whole = '', fraction = '', suffix = ''] = match;
  const unit = suffix === '' ? 'wei' : suffix.toLowerCase();
  if (!isUnit(unit)) throw refuse(`has the unknown unit ${JSON.stringify(suffix)}: use eth, gwei or wei.`);
  const decimals = DECIMALS[unit];
  if (fraction.length > decimals) {
    throw refuse(
      decimals === 0
        ? 'has decimals, but base units are whole: add a unit, as in 1.5eth.'
        : `has ${fraction.length} decimals; ${unit} has ${decimals}: leave out the rest.`,
    );
  }
  const value = BigInt(whole) * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0') || '0');
  if (minus !== '') throw refuse('is negative: amounts are above zero.');
  if (value === 0n) throw refuse('is zero: amounts are above zero.');
  if (value > MAX_AMOUNT) throw refuse('is more than 2^128 - 1 base units, the most that a channel can count.');
  return value;
}

/** `1.5 ETH`, `20 gwei` or `7 wei`: exact, in the unit that reads best. Differences may be negative. */
export function formatAmount(value: bigint): string {
  const size = value < 0n ? -value : value;
  const sign = value < 0n ? '-' : '';
  if (size === 0n) return '0 ETH';
  if (size >= 10n ** 14n) return `${sign}${inUnits(size, DECIMALS.eth)} ETH`;
  if (size >= 10n ** 7n) return `${sign}${inUnits(size, DECIMALS.gwei)} gwei`;
  return `${sign}${size} wei`;
}

/** Always in ETH, as columns of a table need it. */
export const formatEth = (value: bigint): string =>
  `${value < 0n ? '-' : ''}${inUnits(value < 0n ? -value : value, DECIMALS.eth)} ETH`;

/** As `formatAmount`, with the exact number of base units behind it. */
export const formatExactly = (value: bigint): string => {
  const human = formatAmount(value);
  return human.endsWith(' wei') ? human : `${human} (${value} wei)`;
};

function inUnits(size: bigint, decimals: number): string {
  const scale = 10n ** BigInt(decimals);
  const fraction = (size % scale).toString().padStart(decimals, '0').replace(/0+$/, '');
  return fraction === '' ? `${size / scale}` : `${size / scale}.${fraction}`;
}
