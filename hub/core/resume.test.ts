import { expect, test } from 'vitest';
import type { Step } from '../../enclave/core/round-messages.ts';
import { FakeNetwork } from '../testing/network.ts';

function line(): FakeNetwork {
  const network = new FakeNetwork();
  for (const number of [1, 2, 3]) network.join(number);
  network.open(1, [1, 2], [100n, 0n]);
  network.open(2, [2, 3], [100n, 0n]);
  return network;
}

const everybody = (network: FakeNetwork): void => {
  for (const number of [1, 2, 3]) network.connect(number);
};
const phases = (network: FakeNetwork): string[] =>
  [1, 2, 3].flatMap((number) => [...network.terminal(number).payments.values()].map((each) => each.phase));

/** The hub stops when terminal 3 should answer `kind`; it took the step or it did not. */
function stoppedAt(kind: Step['kind'], didTake: boolean): FakeNetwork {
  const network = line();
  const terminal = network.terminal(3);
  terminal.behave = (asked, paymentId) => {
    if (asked.kind !== kind) return undefined;
    if (didTake) terminal.answer(asked, paymentId);
    return 'silent';
  };
  network.order(1, 3);
  network.restart();
  terminal.behave = () => undefined;
  return network;
}

test.each<[Step['kind'], boolean]>([
  ['prepare', false],
  ['prepare', true],
  ['update', false],
  ['update', true],
  ['complete', false],
  ['complete', true],
])('a hub that stopped during %s (taken: %s) finishes the payment after its restart', (kind, didTake) => {
  const network = stoppedAt(kind, didTake);
  everybody(network);
  expect(phases(network)).toEqual(['DONE', 'DONE', 'DONE']);
  expect(network.lastUpdate(1)?.state).toBe('complete');
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['complete']);
  network.order(1, 3);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a decision goes on with its logged evidence although a participant is still away', () => {
  const network = stoppedAt('complete', true);
  network.connect(1);
  network.connect(2);
  expect(phases(network)).toEqual(['DONE', 'DONE', 'DONE']);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'completing' });
  network.connect(3);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('an aborting payment goes on to abort with the logged REJECT, although the rejecter is away', () => {
  const network = line();
  const rejecter = network.terminal(3);
  rejecter.behave = (asked, paymentId) =>
    asked.kind === 'prepare' ? rejecter.reject(asked, paymentId, 'NOT_ACCEPTING') : undefined;
  network.terminal(2).behave = (asked) => (asked.kind === 'abort' ? 'silent' : undefined);
  network.order(1, 3);
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['aborting']);
  network.restart();
  network.terminal(2).behave = () => undefined;
  network.connect(1);
  network.connect(2);
  expect(phases(network)).toEqual(['ABORTED', 'ABORTED', 'REJECTED']);
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['aborted']);
});

test('a payment that expired while the hub was down is cancelled where it was not prepared', () => {
  const network = stoppedAt('prepare', false);
  network.nowMs += 120_000;
  network.restart();
  everybody(network);
  expect(phases(network)).toEqual(['ABORTED', 'ABORTED', 'REJECTED']);
  expect(network.state.rounds.size).toBe(0);
});

test('a payment that expired while the hub was down, but was prepared everywhere, completes', () => {
  const network = stoppedAt('prepare', true);
  network.nowMs += 120_000;
  network.restart();
  everybody(network);
  expect(phases(network)).toEqual(['DONE', 'DONE', 'DONE']);
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['complete']);
});

test('results of orders are known after a restart, and a failed one counts its attempts on', () => {
  const network = line();
  const paid = network.order(1, 3);
  const rejecter = network.terminal(3);
  rejecter.behave = (asked, paymentId) =>
    asked.kind === 'prepare' && !rejecter.payments.has(paymentId)
      ? rejecter.reject(asked, paymentId, 'NOT_ACCEPTING')
      : undefined;
  const failed = network.order(1, 3);
  network.restart();
  rejecter.behave = () => undefined;
  everybody(network);
  network.say(1, { kind: 'order', order: paid });
  expect(network.lastUpdate(1)?.state).toBe('complete');
  expect(network.payments.size).toBe(2);
  network.say(1, { kind: 'order', order: failed });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'complete', attempt: 1 });
});
