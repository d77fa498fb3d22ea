/** What people read when a payment did not happen: what happened, why, and what to do next. */

import type { RejectReason } from '../../enclave/core/round-messages.ts';
import type { Failure } from './round.ts';

type Words = (by: string) => string;

const again = 'Nothing was paid; pay again.';

const words: Readonly<Record<Failure['code'], Words>> = {
  TIMEOUT: () => `Not every terminal on the route answered in time. ${again}`,
  GIVEN_UP: () => 'The payer cancelled before everybody had prepared. Nothing was paid.',
  NOT_PREPARABLE: (by) => `The terminal ${by} could not judge the payment. ${again}`,
  VOID_ON_CHAIN: () => 'The payment was recorded as void on chain. Its amounts come free as each channel settles it.',
  CANCELLED: (by) => `The terminal ${by} was asked to cancel. ${again}`,
  EXPIRED: () => 'The order expired before everybody had prepared. Nothing was paid; make a new order with more time.',
  UNKNOWN_CHANNEL: (by) =>
    `The terminal ${by} does not know a channel of the route as open and agreed. Nothing was paid; wait until its deposits are confirmed, then pay again.`,
  CHANNEL_CLOSING: (by) => `A channel of the terminal ${by} is being closed. ${again}`,
  CHANNEL_SUSPENDED: (by) =>
    `A deposit of a channel of the terminal ${by} is gone from the chain for now. Nothing was paid; pay again when it is back.`,
  WRONG_PARTY: (by) =>
    `The terminal ${by} found a transfer between the wrong parties. Nothing was paid; tell the hub's operator.`,
  WRONG_TOKEN: (by) =>
    `The terminal ${by} found a transfer of another token than its channel's. Nothing was paid; tell the hub's operator.`,
  NOT_ENOUGH_BALANCE: (by) =>
    `A channel of the terminal ${by} cannot carry the amount now. Nothing was paid; pay less, or later.`,
  TOO_MANY_PENDING: (by) =>
    `Too many payments are pending on a channel of the terminal ${by}. Nothing was paid; pay again in a moment.`,
  COUNTER_OVERFLOW: (by) =>
    `A channel of the terminal ${by} has carried all that it can count. Nothing was paid; it must be closed and opened anew.`,
  PARTICIPANT_REFUSED: (by) =>
    `The terminal ${by} does not accept the attestation of another participant. Nothing was paid; compare the attestation policies.`,
  NOT_ORDERED: () => 'The payer’s enclave does not know this order. Nothing was paid; make a new order.',
  ORDER_IN_USE: () =>
    'The order is bound to another attempt that is not over. Wait for it, or have its outcome recorded on chain.',
  FEE_TOO_HIGH: () => 'The route costs more than the order allows. Nothing was paid; make an order with a higher fee.',
  UNKNOWN_INVOICE: () =>
    'The payee does not know this invoice, or it is paid. Nothing was paid; ask for a new invoice.',
  INVOICE_IN_USE: () => 'Another payment of this invoice is on its way. Nothing was paid twice; wait for that one.',
  WRONG_AMOUNT: () => 'The payee expects another amount. Nothing was paid; pay what the invoice says.',
  NOT_ACCEPTING: () => 'The payee takes payments only by invoice. Nothing was paid; ask for an invoice.',
  FORWARDING_REFUSED: (by) => `The intermediary ${by} does not forward this payment. ${again}`,
  FEE_TOO_LOW: (by) => `The intermediary ${by} wants a higher fee than it announced. ${again}`,
} satisfies Record<RejectReason | Failure['code'], Words>;

export const wordsFor = (failure: Failure): string => words[failure.code](failure.by ?? 'of a participant');

/** Codes come back from the store as text. */
export const isFailureCode = (code: string): code is Failure['code'] => Object.hasOwn(words, code);
