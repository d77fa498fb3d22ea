/**
 * What leaving costs, said before anything is signed: an enclave that signed an exit or a record never takes it back, so
 * nothing can be tried out. The figures are the contract's, rounded up; contracts/forge keeps the measured ones.
 */

import type { Provider } from 'ethers';
import type { ChainCost } from '../terminal-types.ts';

/** Both payout addresses are credited for the first time. */
export const EJECT_GAS = 90_000n;
/** For each payment that is pending there: its outcome is written, with a proof of it. */
export const EJECT_PENDING_GAS = 32_000n;
export const RECORD_GAS = 100_000n;

export async function costOf(provider: Provider, gas: bigint): Promise<ChainCost> {
  const { gasPrice: legacy, maxFeePerGas } = await provider.getFeeData();
  const gasPrice = legacy ?? maxFeePerGas ?? 0n;
  return { gas, gasPrice, cost: gas * gasPrice };
}
