import { expect, test } from 'vitest';
import { bytes16, NATIVE } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import type { HubMessage } from '../../enclave/core/wire.ts';
import { addressNumber, terminalNumber } from '../testing/names.ts';
import { FakeNetwork } from '../testing/network.ts';
import { defaultLimits } from './limits.ts';

type RouteQuote = Extract<HubMessage, { kind: 'routeQuote' }>;
const requestId = bytes16(`0x${'07'.repeat(16)}`);
const fees = {
  token: NATIVE,
  minAmount: 1n,
  maxAmount: MAX_AMOUNT,
  feeBase: 3n,
  feePpm: 0,
  maxPendingPerPeer: 100,
  maxPendingPerPayer: 100,
};

/** 1 – 2 – 3, where 2 charges 3. */
function line(): FakeNetwork {
  const network = new FakeNetwork();
  network.join(1);
  network.join(2, { forwarding: [fees] });
  network.join(3);
  network.open(12, [1, 2], [100n, 0n]);
  network.open(23, [2, 3], [100n, 0n]);
  return network;
}

function ask(network: FakeNetwork, over: { payee?: number; amount?: bigint; token?: number } = {}): RouteQuote {
  const { payee = 3, amount = 10n, token } = over;
  const wish = { payee: terminalNumber(payee), amount, token: token === undefined ? NATIVE : addressNumber(token) };
  network.say(1, { kind: 'routeRequest', requestId, ...wish });
  const said = network.terminal(1).received.at(-1);
  if (said?.kind !== 'routeQuote') throw new Error('no quote');
  return said;
}

test('a quote tells hops, fee and expected time, and the payment then takes just that', () => {
  const network = line();
  const quote = ask(network);
  expect(quote).toEqual({
    ...{ kind: 'routeQuote', requestId, code: '', message: '' },
    ...{ hops: 2, fee: 3n, expectedMs: Math.ceil(2.5 * 50 + 3) },
  });
  network.order(1, 3, { maxFee: quote.fee });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', hops: quote.hops });
});

test('a quote reserves, writes and sends nothing to others', () => {
  const network = line();
  const before = [2, 3].map((number) => network.terminal(number).received.length);
  for (let count = 0; count < 5; count++) expect(ask(network, { amount: 97n }).code).toBe('');
  expect([2, 3].map((number) => network.terminal(number).received.length)).toEqual(before);
  expect([network.state.rounds.size, network.state.orders.size, network.payments.size]).toEqual([0, 0, 0]);
  network.order(1, 3, { amount: 97n });
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test.each([
  ['UNKNOWN_PAYEE', { payee: 9 }, 'ever connected'],
  ['WRONG_PAYEE', { payee: 1 }, 'the same terminal'],
  ['AMOUNT_OUT_OF_RANGE', { amount: 0n }, 'another amount'],
  ['NOT_ENOUGH_BALANCE', { amount: 101n }, 'can send 100 wei now, 101 wei are to be paid'],
  ['NO_ROUTE', { amount: 98n }, 'carries 98 wei now. Pay less'],
  ['NO_ROUTE', { amount: MAX_AMOUNT, token: 7 }, 'no open channel in this token'],
])('%s is answered in words, as an order would be', (code, over, words) => {
  const network = line();
  const quote = ask(network, over);
  expect(quote).toMatchObject({ code, hops: 0, fee: 0n, expectedMs: 0 });
  expect(quote.message).toContain(words);
  expect(ask(network).code).toBe('');
});

test('a payee that is away is said to be, and quoted when it is back', () => {
  const network = line();
  network.disconnect(3);
  expect(ask(network)).toMatchObject({ code: 'PAYEE_OFFLINE' });
  network.connect(3);
  expect(ask(network).code).toBe('');
});

test('a session that asks too often is told to wait, others are not, and the next second is its own', () => {
  const network = line();
  const { maxQuotesPerSecond } = defaultLimits;
  for (let count = 0; count < maxQuotesPerSecond; count++) expect(ask(network).code).toBe('');
  expect(ask(network)).toMatchObject({ code: 'TOO_MANY_QUOTES' });
  network.say(2, { kind: 'routeRequest', requestId, payee: terminalNumber(3), token: NATIVE, amount: 1n });
  expect(network.terminal(2).received.at(-1)).toMatchObject({ kind: 'routeQuote', code: '' });
  network.wait(1_000);
  expect(ask(network).code).toBe('');
});
