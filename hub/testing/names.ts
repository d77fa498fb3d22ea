/** Short ways to write ids in tests: number 7 is the terminal 0x…07, the channel 0x…07 and so on. */

import {
  type Address,
  address,
  type Bytes32,
  bytes32,
  type ChannelId,
  channelId,
  type Identity,
  identity,
} from '../../enclave/core/ids.ts';

const digits = (number: number, width: number): string => number.toString(16).padStart(2 * width, '0');

export const terminalNumber = (number: number): Identity => identity(`0x${digits(number, 20)}`);
export const channelNumber = (number: number): ChannelId => channelId(`0x${digits(number, 32)}`);
export const addressNumber = (number: number): Address => address(`0x${digits(number, 20)}`);
export const bytesNumber = (number: number): Bytes32 => bytes32(`0x${digits(number, 32)}`);

/** A repeatable source of numbers in 0..1 (mulberry32): tests print the seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
