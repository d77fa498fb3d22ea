/**
 * Whether an order may be tried at all, and why not (PROTOCOL.md section 4, request). Every refusal says what to do next.
 */

import { amountText } from '../../enclave/core/amount-text.ts';
import { type Identity, NATIVE } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT, MAX_HORIZON_S } from '../../enclave/core/limits.ts';
import type { Order } from '../../enclave/core/order.ts';
import { largestSpendable } from './balances.ts';
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
  | 'ORDER_ID_IN_USE'
  | 'GIVEN_UP'
  | 'TOO_MANY_QUOTES';

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** What somebody wants to pay, ordered or only asked for. `maxFee` is null where any fee will do. */
export interface Wish extends Pick<Order, 'payer' | 'payee' | 'token' | 'amount'> {
  readonly maxFee: bigint | null;
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
  return whyNotPayable(state, order) ?? whyBusy(state, order);
}

function whyBusy({ rounds, terminals, settings }: HubState, order: Order): Refusal | null {
  const { maxPaymentsInFlight, maxOrdersPerPayer } = settings.limits;
  const own = terminals.get(order.payer)?.orders;
  // An order that is tried again is among them.
  const others = (own?.size ?? 0) - (own?.has(order.orderId) ? 1 : 0);
  if (rounds.size < maxPaymentsInFlight && others < maxOrdersPerPayer) return null;
  return refuse('HUB_BUSY', 'Too many payments are in flight. Order again in a moment.');
}

/** Why nothing can be paid so, whatever the channels carry; or null. */
export function whyNotPayable(state: HubState, wish: Wish): Refusal | null {
  if (wish.payee === wish.payer)
    return refuse('WRONG_PAYEE', 'Payer and payee are the same terminal. Name another payee.');
  if (wish.amount < 1n || wish.amount > MAX_AMOUNT)
    return refuse(
      'AMOUNT_OUT_OF_RANGE',
      `An amount must be 1 to 2^128 - 1 ${wish.token === NATIVE ? 'wei' : 'base units'}. Order another amount.`,
    );
  const payee = state.terminals.get(wish.payee);
  if (!payee) {
    return refuse(
      'UNKNOWN_PAYEE',
      `No terminal ${wish.payee} was ever connected to this hub. Check the identity, or have the payee connect.`,
    );
  }
  if (payee.session !== null) return null;
  return refuse('PAYEE_OFFLINE', `The payee ${wish.payee} is not connected. Try again when it is.`);
}

/** Why no route was found, as far as the payer can do something about it. */
export function whyNoRoute(state: HubState, wish: Wish): Refusal {
  const { payee, token, maxFee } = wish;
  const { hasChannel, largest } = largestSpendable(state, wish.payer, token);
  const amount = amountText(wish.amount, token);
  if (!hasChannel) {
    return refuse(
      'NO_ROUTE',
      'You have no open channel in this token that the hub knows. Open one and wait for its confirmation.',
    );
  }
  if (largest < wish.amount) {
    return refuse(
      'NOT_ENOUGH_BALANCE',
      `Your fullest channel can send ${amountText(largest, token)} now, ${amount} are to be paid. Pay less, deposit more, or wait for pending payments.`,
    );
  }
  return refuse(
    'NO_ROUTE',
    maxFee === null
      ? `No route to ${payee} carries ${amount} now. Pay less, or try later.`
      : `No route to ${payee} carries ${amount} for a fee of at most ${amountText(maxFee, token)} now. Pay less, allow a higher fee, or try later.`,
  );
}
