/**
 * Amounts as people read them, exact, for messages of hub and terminals. Of the native coin the unit that reads best
 * with the base units behind it; of other tokens, whose decimals nobody here knows, base units alone.
 */

import { type Address, NATIVE } from './ids.ts';

const UNITS = [
  { name: 'ETH', decimals: 18, from: 10n ** 14n },
  { name: 'gwei', decimals: 9, from: 10n ** 7n },
] as const;

/** `0.05 ETH (50000000000000000 wei)`, `7 wei`; of a token `7 base units`. */
export function amountText(amount: bigint, token: Address): string {
  if (token !== NATIVE) return `${amount} base ${amount === 1n ? 'unit' : 'units'}`;
  const unit = UNITS.find(({ from }) => amount >= from);
  return unit ? `${scaled(amount, unit.decimals)} ${unit.name} (${amount} wei)` : `${amount} wei`;
}

function scaled(amount: bigint, decimals: number): string {
  const scale = 10n ** BigInt(decimals);
  const fraction = (amount % scale).toString().padStart(decimals, '0').replace(/0+$/, '');
  return fraction === '' ? `${amount / scale}` : `${amount / scale}.${fraction}`;
}
