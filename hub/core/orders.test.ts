import { expect, test } from 'vitest';
import { MAX_AMOUNT, MAX_ATTEMPTS, MAX_HORIZON_S } from '../../enclave/core/limits.ts';
import type { Order } from '../../enclave/core/order.ts';
import type { RejectReason } from '../../enclave/core/round-messages.ts';
import { addressNumber, channelNumber, terminalNumber } from '../testing/names.ts';
import { FakeNetwork } from '../testing/network.ts';
import { defaultLimits } from './limits.ts';

/** From 1 to 4 there is a way over 2 and a way over 3; terminal 9 was never connected. */
function diamond(): FakeNetwork {
  const network = new FakeNetwork();
  for (const number of [1, 2, 3, 4]) network.join(number);
  network.open(12, [1, 2], [100n, 100n]);
  network.open(13, [1, 3], [100n, 100n]);
  network.open(24, [2, 4], [100n, 100n]);
  network.open(34, [3, 4], [100n, 100n]);
  return network;
}

function rejecting(network: FakeNetwork, number: number, reason: RejectReason): void {
  const terminal = network.terminal(number);
  terminal.behave = (asked, paymentId) =>
    asked.kind === 'prepare' && !terminal.payments.has(paymentId)
      ? terminal.reject(asked, paymentId, reason)
      : undefined;
}

const refusals: [string, Partial<Order>, string][] = [
  ['an unknown payee', { payee: terminalNumber(9) }, 'UNKNOWN_PAYEE'],
  ['amount zero', { amount: 0n }, 'AMOUNT_OUT_OF_RANGE'],
  ['an amount of 2^128', { amount: MAX_AMOUNT + 1n }, 'AMOUNT_OUT_OF_RANGE'],
  ['an amount above what the payer has', { amount: 101n }, 'NOT_ENOUGH_BALANCE'],
  ['a token without channels', { token: addressNumber(7) }, 'NO_ROUTE'],
  ['an order that has expired', { expiry: 1_600_000_000 }, 'EXPIRED'],
  ['an expiry beyond the horizon', { expiry: 1_700_000_000 + MAX_HORIZON_S + 1 }, 'EXPIRY_TOO_FAR'],
  ['the payer as payee', { payee: terminalNumber(1) }, 'WRONG_PAYEE'],
  ['an order of somebody else', { payer: terminalNumber(2) }, 'WRONG_PAYER'],
];

test.each(refusals)('%s is refused in words, and the next payment goes through', (_what, over, code) => {
  const network = diamond();
  network.order(1, 4, over);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code });
  expect(network.lastUpdate(1)?.message.length).toBeGreaterThan(20);
  expect(network.payments.size + network.state.orders.size).toBe(0);
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a payee without session is refused as offline, and can be paid when it is back', () => {
  const network = diamond();
  network.disconnect(4);
  const order = network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'PAYEE_OFFLINE' });
  network.connect(4);
  network.say(1, { kind: 'order', order });
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('no route is said where the payer could pay but nobody can pass it on', () => {
  const network = diamond();
  network.disconnect(2);
  network.disconnect(3);
  network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NO_ROUTE' });
});

test.each<RejectReason>([
  'FORWARDING_REFUSED',
  'NOT_ENOUGH_BALANCE',
  'CHANNEL_CLOSING',
  'FEE_TOO_LOW',
  'TOO_MANY_PENDING',
])('after %s of an intermediary the order takes another route, with a nonce of its own', (reason) => {
  const network = diamond();
  rejecting(network, 2, reason);
  network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', attempt: 1 });
  const attempts = [...network.payments.values()];
  expect(attempts.map((each) => each.state)).toEqual(['aborted', 'complete']);
  expect(new Set(attempts.map((each) => each.terms.nonce)).size).toBe(2);
  expect(network.updates(1).some((each) => each.state === 'routing' && each.code === reason)).toBe(true);
});

test('an intermediary that does not answer PREPARE is left out of the next attempt', () => {
  const network = diamond();
  network.terminal(2).behave = (asked) => (asked.kind === 'prepare' ? 'silent' : undefined);
  network.order(1, 4);
  network.wait(5_100);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', attempt: 1 });
});

test('where the payer’s own channel is refused, another of its channels is tried', () => {
  const network = diamond();
  const payer = network.terminal(1);
  let isFirst = true;
  payer.behave = (asked, paymentId) => {
    if (asked.kind !== 'prepare' || !isFirst) return undefined;
    isFirst = false;
    return payer.reject(asked, paymentId, 'NOT_ENOUGH_BALANCE');
  };
  network.order(1, 4);
  const ways = [...network.payments.values()].map((each) => each.terms.transfers.map((transfer) => transfer.channelId));
  expect(ways).toEqual([[12, 24].map(channelNumber), [13, 34].map(channelNumber)]);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test.each<RejectReason>(['NOT_ACCEPTING', 'UNKNOWN_INVOICE', 'WRONG_AMOUNT', 'INVOICE_IN_USE'])(
  '%s of the payee ends the order at once',
  (reason) => {
    const network = diamond();
    rejecting(network, 4, reason);
    network.order(1, 4);
    expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: reason, attempt: 0 });
    expect(network.payments.size).toBe(1);
  },
);

test('when no other route is left the payer reads that, and why the last attempt failed', () => {
  const network = diamond();
  rejecting(network, 2, 'FORWARDING_REFUSED');
  rejecting(network, 3, 'FORWARDING_REFUSED');
  network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NO_ROUTE' });
  expect(network.lastUpdate(1)?.message).toContain('does not forward');
  expect(network.payments.size).toBe(2);
});

test('an order has a bounded number of attempts, also over several tries of the payer', () => {
  const network = diamond();
  rejecting(network, 4, 'NOT_ACCEPTING');
  const order = network.order(1, 4);
  for (let count = 0; count < MAX_ATTEMPTS + 2; count++) network.say(1, { kind: 'order', order });
  expect(network.lastUpdate(1)?.code).toBe('TOO_MANY_ATTEMPTS');
  expect(network.payments.size).toBe(MAX_ATTEMPTS);
});

test('an order that is asked for again while it runs or after it completed is not paid twice', () => {
  const network = diamond();
  network.terminal(4).behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  const order = network.order(1, 4);
  network.say(1, { kind: 'order', order });
  expect(network.lastUpdate(1)?.state).toBe('updating');
  network.terminal(4).behave = () => undefined;
  network.wait(5_000);
  network.say(1, { kind: 'order', order });
  expect(network.lastUpdate(1)?.state).toBe('complete');
  expect(network.payments.size).toBe(1);
});

test('an order with the id of another is refused', () => {
  const network = diamond();
  const order = network.order(1, 4);
  network.say(1, { kind: 'order', order: { ...order, amount: 11n } });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'ORDER_ID_IN_USE' });
});

test('payments at the same time share a channel only as far as it carries', () => {
  const network = diamond();
  network.terminal(4).behave = (asked) => (asked.kind === 'prepare' ? 'silent' : undefined);
  network.order(1, 4, { amount: 60n });
  network.order(1, 4, { amount: 60n });
  network.order(1, 4, { amount: 60n });
  const ways = [...network.payments.values()].map((each) => each.terms.transfers[0]?.channelId);
  expect(new Set(ways)).toEqual(new Set([channelNumber(12), channelNumber(13)]));
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NOT_ENOUGH_BALANCE' });
});

test('a payer with too many open orders is told to wait', () => {
  const network = diamond();
  const payer = network.state.terminals.get(terminalNumber(1));
  for (let number = 0; number < defaultLimits.maxOrdersPerPayer; number++) payer?.orders.add(channelNumber(number));
  network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'HUB_BUSY' });
});

test('cancelling an order that does not exist is refused in words', () => {
  const network = diamond();
  network.say(1, { kind: 'cancelOrder', orderId: channelNumber(5) });
  expect(network.terminal(1).received.at(-1)).toMatchObject({ kind: 'refused', code: 'UNKNOWN_ORDER' });
});

test('fees of intermediaries are in the transfers, and the payee gets exactly the amount', () => {
  const network = new FakeNetwork();
  network.join(1);
  const forwarding = [{ ...network.terminal(1).policy.forwarding[0], feeBase: 2n, feePpm: 100_000 }];
  network.join(2, { forwarding: forwarding as never });
  network.join(3);
  network.open(12, [1, 2], [100n, 0n]);
  network.open(23, [2, 3], [100n, 0n]);
  network.order(1, 3, { amount: 25n, maxFee: 5n });
  const [payment] = network.payments.values();
  expect(payment?.terms.transfers.map((each) => each.amount)).toEqual([30n, 25n]);
  expect(payment?.fee).toBe(5n);
  network.order(1, 3, { amount: 25n, maxFee: 4n });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NO_ROUTE' });
});

test('the next attempt waits until the last one has let go, so that it can use the same money', () => {
  const network = new FakeNetwork();
  for (const number of [1, 2, 3, 4, 5]) network.join(number);
  network.open(12, [1, 2], [100n, 0n]);
  for (const middle of [3, 4]) {
    network.open(20 + middle, [2, middle], [100n, 0n]);
    network.open(50 + middle, [middle, 5], [100n, 0n]);
  }
  rejecting(network, 3, 'FORWARDING_REFUSED');
  network.order(1, 5, { amount: 100n });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', attempt: 1 });
});
