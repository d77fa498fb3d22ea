import { expect, test } from 'vitest';
import { seeded } from '../testing/names.ts';
import { FakeNetwork } from '../testing/network.ts';

const TERMINALS = [1, 2, 3, 4, 5];
const EDGES: [number, number][] = [
  [1, 2],
  [2, 3],
  [3, 4],
  [4, 5],
  [2, 4],
  [1, 4],
];
const DEPOSIT = 60n;

/** Terminals that lose questions, lose answers, reject and disconnect; a hub that is killed and restarted. */
function troubled(seed: number): FakeNetwork {
  const random = seeded(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const network = new FakeNetwork();
  for (const number of TERMINALS) network.join(number, { prepareLast: number === 3 && seed % 3 === 0 });
  for (const [index, edge] of EDGES.entries()) network.open(index + 1, edge, [DEPOSIT, DEPOSIT]);
  for (const number of TERMINALS) {
    const terminal = network.terminal(number);
    terminal.behave = (asked, paymentId) => {
      const dice = below(12);
      if (dice === 0) return 'silent';
      if (dice === 1) {
        terminal.answer(asked, paymentId);
        return 'silent';
      }
      if (dice === 2 && asked.kind === 'prepare' && !terminal.payments.has(paymentId))
        return terminal.reject(asked, paymentId, 'FORWARDING_REFUSED');
      return undefined;
    };
  }
  const isOnline = (number: number): boolean => network.state.sessions.size > 0 && isConnected(network, number);
  for (let count = 0; count < 60; count++) {
    const [one, other] = [1 + below(5), 1 + below(5)];
    const dice = below(20);
    if (dice === 0) network.restart();
    else if (dice < 4 && isOnline(one)) network.disconnect(one);
    else if (dice < 8 && !isOnline(one)) network.connect(one);
    else if (dice < 16 && isOnline(one)) network.order(one, other, { amount: BigInt(1 + below(30)) });
    else network.wait(100 * (1 + below(60)));
  }
  for (const number of TERMINALS) {
    network.terminal(number).behave = () => undefined;
    if (!isConnected(network, number)) network.connect(number);
  }
  network.wait(130_000);
  return network;
}

const isConnected = (network: FakeNetwork, number: number): boolean =>
  (network.state.terminals.get(network.terminal(number).identity)?.session ?? null) !== null;

test('after any losses, rejections, disconnects and restarts every payment ends the same way at everybody', () => {
  let complete = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const network = troubled(seed);
    const label = `seed ${seed}`;
    expect([network.state.rounds.size, network.state.orders.size, network.state.held.size], label).toEqual([0, 0, 0]);
    for (const payment of network.payments.values()) {
      const phases = payment.participants.map(
        (each) => network.terminals.get(each)?.payments.get(payment.paymentId)?.phase,
      );
      const isDone = phases.every((phase) => phase === 'DONE');
      const isUndone = phases.every((phase) => phase === undefined || phase === 'ABORTED' || phase === 'REJECTED');
      expect(
        isDone ? payment.state === 'complete' : isUndone && payment.state === 'aborted',
        `${label} ${phases.join()}`,
      ).toBe(true);
      if (isDone) complete++;
    }
    const sums = EDGES.map(([a, b], index) => {
      const [channelId] = [...network.identities.keys()].slice(index);
      return [a, b].reduce(
        (sum, number) => sum + (network.terminal(number).balances.get(channelId as never) ?? 0n),
        0n,
      );
    });
    expect(sums, label).toEqual(EDGES.map(() => 2n * DEPOSIT));
    for (const { sides } of network.state.channels.values()) {
      expect([sides.A.reserved, sides.A.pending, sides.B.reserved, sides.B.pending], label).toEqual([0n, 0n, 0n, 0n]);
    }
  }
  expect(complete).toBeGreaterThan(300);
});
