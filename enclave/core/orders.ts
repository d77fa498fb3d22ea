/** Orders and invoices: what an owner wishes to pay or to be paid (PROTOCOL.md section 4). */

import { toHex } from './codec.ts';
import { type Decider, decided, refused } from './decision.ts';
import type { Bytes16, Bytes32 } from './ids.ts';
import { sign } from './keys.ts';
import { MAX_AMOUNT, MAX_HORIZON_S, MAX_INVOICES, MAX_ORDERS } from './limits.ts';
import { hashInvoice, invoiceDigest } from './order.ts';
import { whyBeyondLimits } from './spending.ts';
import type { State } from './state.ts';

/** How long an invoice may stay open, in seconds: a year. */
const MAX_INVOICE_LIFE_S = 366 * 24 * 3600;

export const order: Decider<'order'> = (state, command, sources) => {
  const { payee, token, amount, maxFee, invoice, expiry } = command;
  const payer = state.keyRing.identity;
  if (payee === payer) return refused('PAYS_ITSELF', 'Payer and payee are the same terminal; name another payee.');
  if (amount < 1n || amount + maxFee > MAX_AMOUNT) {
    return refused(
      'AMOUNT_OUT_OF_RANGE',
      'The amount must be at least 1 base unit and, with the fee, at most 2^128 - 1.',
    );
  }
  if (expiry <= state.clock)
    return refused('EXPIRED', 'The order would have expired already; check the clock of this machine.');
  if (expiry > state.clock + MAX_HORIZON_S) {
    return refused(
      'BEYOND_HORIZON',
      `An order may stay open for ${MAX_HORIZON_S} seconds at most; choose an earlier expiry.`,
    );
  }
  if (isFull(state.orders, MAX_ORDERS, (each) => each.order.expiry < state.clock)) {
    return refused('TOO_MANY_ORDERS', `${MAX_ORDERS} orders are open; wait for some to finish, or cancel them.`);
  }
  const beyond = whyBeyondLimits(state, token, amount + maxFee);
  if (beyond) return beyond;
  const orderId = toHex(sources.random(32)) as Bytes32;
  const sealed = { orderId, payer, payee, token, amount, maxFee, invoice, expiry };
  return decided({ kind: 'order', order: sealed }, { kind: 'ordered', order: sealed });
};

export const cancelOrder: Decider<'cancelOrder'> = (state, command) => {
  const entry = state.orders.get(command.orderId);
  if (!entry) return decided({ kind: 'ok' });
  if (entry.status === 'bound') {
    return refused(
      'ORDER_IN_USE',
      `Payment ${entry.paymentId ?? ''} is under way for this order; it ends by completing or aborting.`,
    );
  }
  if (entry.status === 'paid') return refused('ORDER_PAID', 'This order was paid; nothing is left to cancel.');
  return decided({ kind: 'ok' }, { kind: 'orderCancelled', orderId: command.orderId });
};

export const invoice: Decider<'invoice'> = (state, command, sources) => {
  const { token, amount, expiry, description } = command;
  if (amount < 1n) return refused('AMOUNT_OUT_OF_RANGE', 'An invoice asks for at least 1 base unit.');
  if (expiry <= state.clock || expiry > state.clock + MAX_INVOICE_LIFE_S) {
    return refused('EXPIRED', 'An invoice expires in the future, within a year; check the clock of this machine.');
  }
  if (isFull(state.invoices, MAX_INVOICES, (each) => each.invoice.expiry < state.clock)) {
    return refused('TOO_MANY_INVOICES', `${MAX_INVOICES} invoices are open; cancel some, or let them expire.`);
  }
  const reference = toHex(sources.random(16)) as Bytes16;
  const made = { payee: state.keyRing.identity, token, amount, expiry, reference, description };
  const { domain } = state.deployment;
  const hash = hashInvoice(domain, made);
  const signature = sign(invoiceDigest(domain, made), state.keyRing.identityKey);
  return decided(
    { kind: 'invoice', hash, signed: { invoice: made, signature } },
    { kind: 'invoiced', hash, invoice: made },
  );
};

export const cancelInvoice: Decider<'cancelInvoice'> = (state, command) => {
  const entry = state.invoices.get(command.hash);
  if (!entry) return decided({ kind: 'ok' });
  if (entry.status === 'bound') {
    return refused(
      'INVOICE_IN_USE',
      `Payment ${entry.paymentId ?? ''} is under way for this invoice; it ends by completing or aborting.`,
    );
  }
  if (entry.status === 'paid') return refused('INVOICE_PAID', 'This invoice was paid; nothing is left to cancel.');
  return decided({ kind: 'ok' }, { kind: 'invoiceCancelled', hash: command.hash });
};

/** True where the map is full and nothing in it may be forgotten. */
function isFull<V extends { status: string }>(
  entries: Map<unknown, V>,
  limit: number,
  isExpired: (entry: V) => boolean,
): boolean {
  if (entries.size < limit) return false;
  for (const entry of entries.values()) if (entry.status !== 'bound' && isExpired(entry)) return false;
  return true;
}

export const listOrders: Decider<'listOrders'> = (state: State) =>
  decided({ kind: 'orders', orders: [...state.orders.values()].map((entry) => ({ ...entry })) });

export const listInvoices: Decider<'listInvoices'> = (state: State) =>
  decided({ kind: 'invoices', invoices: [...state.invoices.values()].map((entry) => ({ ...entry })) });
