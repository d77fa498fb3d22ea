/**
 * Branded identifiers: lower-case 0x-prefixed hex of a fixed width, each with one checked constructor.
 * Widths are those of PROTOCOL.md section 9.
 */

declare const brand: unique symbol;
type Brand<Name extends string> = { readonly [brand]: { readonly [name in Name]: true } };

/** Lower-case hex with 0x in front, any even number of digits. */
export type Hex = `0x${string}`;
/** 20 bytes: a channel party, payout address, token or contract. The zero address as token is the native coin. */
export type Address = Hex & Brand<'Address'>;
/** The address of an enclave's first key: names a terminal. */
export type Identity = Address & Brand<'Identity'>;
/** 32 bytes. */
export type Bytes32 = Hex & Brand<'Bytes32'>;
export type ChannelId = Bytes32 & Brand<'ChannelId'>;
export type PaymentId = Bytes32 & Brand<'PaymentId'>;
/** 16 bytes: nonces, salts, evidence. */
export type Bytes16 = Hex & Brand<'Bytes16'>;

/** A value from outside that has not the form that it must have. */
export class InvalidValue extends Error {
  readonly code = 'INVALID_VALUE';
}

function checked(text: string, bytes: number, what: string): Hex {
  const lower = text.toLowerCase();
  if (lower.length !== 2 + 2 * bytes || !/^0x[0-9a-f]*$/.test(lower)) {
    throw new InvalidValue(`${what} must be 0x and ${2 * bytes} hex digits, got ${JSON.stringify(text.slice(0, 80))}`);
  }
  return lower as Hex;
}

/** @throws InvalidValue unless `text` is 20 bytes of hex. The checksum of mixed case is not verified here. */
export const address = (text: string): Address => checked(text, 20, 'an address') as Address;
/** @throws InvalidValue unless `text` is 20 bytes of hex. */
export const identity = (text: string): Identity => checked(text, 20, 'an identity') as Identity;
/** @throws InvalidValue unless `text` is 32 bytes of hex. */
export const bytes32 = (text: string): Bytes32 => checked(text, 32, 'a 32-byte value') as Bytes32;
/** @throws InvalidValue unless `text` is 32 bytes of hex. */
export const channelId = (text: string): ChannelId => checked(text, 32, 'a channel id') as ChannelId;
/** @throws InvalidValue unless `text` is 32 bytes of hex. */
export const paymentId = (text: string): PaymentId => checked(text, 32, 'a payment id') as PaymentId;
/** @throws InvalidValue unless `text` is 16 bytes of hex. */
export const bytes16 = (text: string): Bytes16 => checked(text, 16, 'a 16-byte value') as Bytes16;

export const ZERO_ADDRESS = address(`0x${'00'.repeat(20)}`);
export const ZERO_32 = bytes32(`0x${'00'.repeat(32)}`);
/** The native coin of the chain, as a token. */
export const NATIVE = address(`0x${'00'.repeat(20)}`);
