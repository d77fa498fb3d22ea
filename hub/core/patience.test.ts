import { expect, test } from 'vitest';
import type { StepKind } from '../../enclave/core/round-messages.ts';
import { FakeNetwork, type OrderUpdate } from '../testing/network.ts';
import { defaultSettings } from './state.ts';

/** 1 – 2 – 3: all the money is on the side of 1 and of 2. */
function line(over = {}): FakeNetwork {
  const network = new FakeNetwork(over);
  for (const number of [1, 2, 3]) network.join(number);
  network.open(12, [1, 2], [100n, 0n]);
  network.open(23, [2, 3], [100n, 0n]);
  return network;
}

/** Makes a terminal keep silent on one kind of step. @returns what ends that */
function silence(network: FakeNetwork, number: number, kind: StepKind): () => void {
  const terminal = network.terminal(number);
  terminal.behave = (step) => (step.kind === kind ? 'silent' : undefined);
  return () => {
    terminal.behave = () => undefined;
    network.disconnect(number);
    network.connect(number);
  };
}

const last = (network: FakeNetwork, number: number): Pick<OrderUpdate, 'state' | 'code'> | undefined => {
  const update = network.lastUpdate(number);
  return update && { state: update.state, code: update.code };
};
const failed = (code: string) => ({ state: 'failed', code });
const routing = { state: 'routing', code: '' };
const complete = { state: 'complete', code: '' };

test('an order over money that a payment under way is bringing waits for it', () => {
  const network = line();
  const speak = silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n, maxFee: 0n });
  expect(last(network, 1)).toMatchObject({ state: 'completing' });
  network.order(3, 1, { amount: 40n, maxFee: 0n });
  expect(last(network, 3)).toEqual(routing);
  speak();
  network.wait(100);
  expect(last(network, 3)).toEqual(complete);
  expect(network.state.waiting.size).toBe(0);
});

test('an order over money that an aborted payment is giving back waits for it', () => {
  const network = line();
  network.terminal(3).behave = (step, paymentId) =>
    step.kind === 'prepare' ? network.terminal(3).reject(step, paymentId, 'NOT_ACCEPTING') : undefined;
  const speak = silence(network, 2, 'abort');
  network.order(1, 3, { amount: 100n });
  network.terminal(3).behave = () => undefined;
  network.order(2, 3, { amount: 100n });
  expect(last(network, 2)).toEqual(routing);
  speak();
  network.wait(100);
  expect(last(network, 2)).toEqual(complete);
});

test('the waiting is bounded, by the hub’s own clock, and then the reason is told', () => {
  const network = line();
  silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n });
  network.order(3, 1, { amount: 40n });
  network.wait(defaultSettings.orderPatienceMs - 100);
  expect(last(network, 3)).toEqual(routing);
  network.wait(200);
  expect(last(network, 3)).toEqual(failed('NOT_ENOUGH_BALANCE'));
  expect([network.state.waiting.size, network.state.orders.size]).toEqual([0, 1]);
});

test('an order that no payment under way can help is refused at once', () => {
  const network = line();
  silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n });
  network.order(3, 1, { amount: 41n });
  expect(last(network, 3)).toEqual(failed('NOT_ENOUGH_BALANCE'));
  network.order(1, 3, { amount: 61n });
  expect(last(network, 1)).toEqual(failed('NOT_ENOUGH_BALANCE'));
});

test('a payment that is only prepared promises nothing, and is not waited for', () => {
  const network = line();
  silence(network, 3, 'prepare');
  network.order(1, 3, { amount: 40n });
  network.order(3, 1, { amount: 40n });
  expect(last(network, 3)).toEqual(failed('NOT_ENOUGH_BALANCE'));
});

test('an order that waits is refused as soon as what it waited for ended without helping', () => {
  const network = line();
  const speak = silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n });
  network.order(3, 1, { amount: 40n });
  network.terminal(3).behave = () => undefined;
  expect(last(network, 3)).toEqual(routing);
  // The channel settles on chain meanwhile.
  network.chain([{ kind: 'settled', channelId: [...network.identities.keys()][1] as never, creditA: 0n, creditB: 0n }]);
  speak();
  network.wait(100);
  expect(last(network, 3)).toEqual(failed('NO_ROUTE'));
});

test('an order that waits can be given up, and is told to who asks again', () => {
  const network = line();
  silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n });
  const order = network.order(3, 1, { amount: 40n });
  network.say(3, { kind: 'order', order });
  expect(last(network, 3)).toEqual(routing);
  network.say(3, { kind: 'cancelOrder', orderId: order.orderId });
  expect(last(network, 3)).toEqual(failed('GIVEN_UP'));
  expect(network.state.waiting.size).toBe(0);
});

test('an order that expires while it waits says so', () => {
  const network = line({ orderPatienceMs: 60_000 });
  silence(network, 3, 'complete');
  network.order(1, 3, { amount: 40n });
  network.order(3, 1, { amount: 40n, expiry: network.nowS + 2 });
  network.wait(3_000);
  expect(last(network, 3)).toEqual(failed('EXPIRED'));
});

test('after a restart an order waits for its payee to come back', () => {
  const network = line();
  network.restart();
  network.connect(1);
  network.connect(2);
  network.order(1, 3);
  expect(last(network, 1)).toEqual(routing);
  network.connect(3);
  network.wait(100);
  expect(last(network, 1)).toEqual(complete);
});

test('after a restart an order waits for intermediaries and balances as well', () => {
  const network = line();
  network.restart();
  network.connect(1);
  network.connect(3);
  network.order(1, 3);
  expect(last(network, 1)).toEqual(routing);
  network.connect(2);
  network.wait(100);
  expect(last(network, 1)).toEqual(complete);
});

test('whoever does not come back within the grace is offline, and without a restart at once', () => {
  const network = line();
  network.restart();
  network.connect(1);
  network.connect(2);
  network.order(1, 3);
  network.wait(defaultSettings.restartGraceMs - 100);
  expect(last(network, 1)).toEqual(routing);
  network.wait(200);
  expect(last(network, 1)).toEqual(failed('PAYEE_OFFLINE'));
  network.order(1, 3);
  expect(last(network, 1)).toEqual(failed('PAYEE_OFFLINE'));
});

test('a payee that was never known is not waited for', () => {
  const network = line();
  network.restart();
  network.connect(1);
  network.order(1, 9);
  expect(last(network, 1)).toEqual(failed('UNKNOWN_PAYEE'));
});

test('the grace is what the settings say', () => {
  const network = line({ restartGraceMs: 0 });
  network.restart();
  network.connect(1);
  network.order(1, 3);
  expect(last(network, 1)).toEqual(failed('PAYEE_OFFLINE'));
});
