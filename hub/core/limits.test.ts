import { expect, test } from 'vitest';
import { FakeNetwork } from '../testing/network.ts';
import { defaultLimits, type Limits } from './limits.ts';

const networkWith = (limits: Partial<Limits>): FakeNetwork =>
  new FakeNetwork({ limits: { ...defaultLimits, ...limits } });

/** 1 – 2 – 3, with money in both directions. */
function line(limits: Partial<Limits>): FakeNetwork {
  const network = networkWith(limits);
  for (const number of [1, 2, 3]) network.join(number);
  network.open(12, [1, 2], [100n, 100n]);
  network.open(23, [2, 3], [100n, 100n]);
  return network;
}

test('a hub that remembers as many terminals as it can refuses new ones in words, and takes known ones back', () => {
  const network = networkWith({ maxTerminals: 2 });
  for (const number of [1, 2, 3]) network.join(number);
  expect(network.closed).toMatchObject([
    { code: 'HUB_FULL', message: expect.stringContaining('2 terminals') as string },
  ]);
  expect([network.state.terminals.size, network.state.sessions.size]).toEqual([2, 2]);
  network.disconnect(1);
  network.connect(1);
  expect(network.closed.length).toBe(1);
  expect(network.state.sessions.size).toBe(2);
});

test('with as many payments in flight as the hub drives an order is told to wait, and goes through after one ended', () => {
  const network = line({ maxPaymentsInFlight: 1 });
  network.terminal(3).behave = (step) => (step.kind === 'complete' ? 'silent' : undefined);
  network.order(1, 3);
  network.order(1, 3);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'HUB_BUSY' });
  network.terminal(3).behave = () => undefined;
  network.disconnect(3);
  network.connect(3);
  expect(network.state.rounds.size).toBe(0);
  network.order(1, 3);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete' });
});

test('an order that is tried again does not stand in its own way', () => {
  const network = line({ maxOrdersPerPayer: 1 });
  network.join(4);
  network.open(14, [1, 4], [100n, 100n]);
  network.open(43, [4, 3], [100n, 100n]);
  const { terminals } = network;
  for (const number of [2, 4]) {
    network.terminal(number).behave = (step, paymentId) => {
      for (const terminal of terminals.values()) terminal.behave = () => undefined;
      return network.terminal(number).reject(step, paymentId, 'FORWARDING_REFUSED');
    };
  }
  network.order(1, 3);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', attempt: 1 });
});

test('payments beyond those that wake with a COMPLETE are held as well, and go on by the timer', () => {
  const network = line({ maxHeldPerChannel: 1 });
  const held = network.state.held;
  network.terminal(2).behave = (step, paymentId) =>
    step.kind === 'prepare'
      ? { kind: 'held', paymentId, channelId: [...network.identities.keys()][1] as never }
      : undefined;
  for (let count = 0; count < 3; count++) network.order(1, 3);
  expect([...held.values()].map((each) => each.size)).toEqual([1]);
  network.terminal(2).behave = () => undefined;
  network.wait(network.state.settings.heldRetryMs + 100);
  const states = network.updates(1).filter((update) => update.state === 'complete');
  expect(states.length).toBe(3);
  expect([held.size, network.state.rounds.size]).toEqual([0, 0]);
});

test('orders beyond those that may wait are refused at once', () => {
  const network = line({ maxWaitingOrders: 1 });
  network.order(1, 2, { amount: 100n });
  network.terminal(2).behave = (step) => (step.kind === 'complete' ? 'silent' : undefined);
  network.order(3, 2, { amount: 100n });
  network.order(2, 3, { amount: 200n });
  network.order(2, 3, { amount: 200n });
  expect(network.updates(2).map(({ state, code }) => `${state} ${code}`.trim())).toEqual([
    'routing',
    'failed NO_ROUTE',
  ]);
});
