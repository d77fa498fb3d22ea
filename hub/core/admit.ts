/**
 * Whether an order may be tried at all, and why not (PROTOCOL.md section 4, request). Every refusal says what to do next.
 */

import type { Identity } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT, MAX_HORIZON_S } from '../../enclave/core/limits.ts';
import type { Order } from '../../enclave/core/order.ts';
import { largestSpendable } from './balances.ts';
import { MAX_ORDERS_PER_PAYER, MAX_PAYMENTS_IN_FLIGHT } from './limits.ts';
import type { HubState } from './state.ts';

type RefusalCode =
  | 'WRONG_PAYER'
  | 'WRONG_PAYEE'
  | 'UNKNOWN_PAYEE'
  | 'PAYEE_OFFLINE'
  | 'NO_ROUTE'
  | 'NOT_ENOUGH_BALANCE'
  | 'AMOUNT_OUT_OF_RANGE'
  | 'EXPIRED'
  | 'EXPIRY_TOO_FAR'
  | 'HUB_BUSY'
  | 'TOO_MANY_ATTEMPTS'
  | 'ORDER_ID_IN_USE';

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

const refuse = (code: RefusalCode, message: string): Refusal => ({ code, message });

/** @returns null where the order may be routed */
export function whyNotAdmitted(state: HubState, sender: Identity, order: Order): Refusal | null {
  const nowS = Math.floor(state.nowMs / 1000);
  if (order.payer !== sender)
    return refuse(
      'WRONG_PAYER',
      `The order names ${order.payer} as payer, this session is ${sender}. Order as yourself.`,
    );
  if (order.payee === sender)
    return refuse('WRONG_PAYEE', 'Payer and payee are the same terminal. Name another payee.');
  if (order.amount < 1n || order.amount > MAX_AMOUNT)
    return refuse('AMOUNT_OUT_OF_RANGE', 'An amount must be 1 to 2^128 - 1 base units. Order another amount.');
  if (order.expiry <= nowS)
    return refuse(
      'EXPIRED',
      `The order expired at ${order.expiry}, it is ${nowS} now. Make a new one; compare the clocks.`,
    );
  if (order.expiry > nowS + MAX_HORIZON_S) {
    return refuse(
      'EXPIRY_TOO_FAR',
      `The order expires more than ${MAX_HORIZON_S} s ahead. Make one that expires earlier; compare the clocks.`,
    );
  }
  const payee = state.terminals.get(order.payee);
  if (!payee) {
    return refuse(
      'UNKNOWN_PAYEE',
      `No terminal ${order.payee} was ever connected to this hub. Check the identity, or have the payee connect.`,
    );
  }
  if (payee.session === null)
    return refuse('PAYEE_OFFLINE', `The payee ${order.payee} is not connected. Try again when it is.`);
  if (
    state.rounds.size >= MAX_PAYMENTS_IN_FLIGHT ||
    (state.terminals.get(sender)?.orders.size ?? 0) >= MAX_ORDERS_PER_PAYER
  ) {
    return refuse('HUB_BUSY', 'Too many payments are in flight. Order again in a moment.');
  }
  return null;
}

/** Why no route was found, as far as the payer can do something about it. */
export function whyNoRoute(state: HubState, order: Order): Refusal {
  const { hasChannel, largest } = largestSpendable(state, order.payer, order.token);
  if (!hasChannel) {
    return refuse(
      'NO_ROUTE',
      'You have no open channel in this token that the hub knows. Open one and wait for its confirmation.',
    );
  }
  if (largest < order.amount) {
    return refuse(
      'NOT_ENOUGH_BALANCE',
      `Your fullest channel can send ${largest} base units now, the order is over ${order.amount}. Pay less, deposit more, or wait for pending payments.`,
    );
  }
  return refuse(
    'NO_ROUTE',
    `No route to ${order.payee} carries ${order.amount} base units for a fee of at most ${order.maxFee} now. Pay less, allow a higher fee, or try later.`,
  );
}
