import { expect, test } from 'vitest';
import { type ChannelId, NATIVE } from '../../enclave/core/ids.ts';
import { channelNumber, terminalNumber } from '../testing/names.ts';
import { FakeNetwork } from '../testing/network.ts';
import { MAX_EARLY_REPORTS } from './limits.ts';

function pair(): { network: FakeNetwork; channelId: ChannelId } {
  const network = new FakeNetwork();
  network.join(1);
  network.join(2);
  return { network, channelId: network.open(1, [1, 2], [100n, 50n]) };
}

const report = (network: FakeNetwork, number: number, spendable: bigint, channelId: ChannelId): void =>
  network.say(number, { kind: 'balances', balances: [{ channelId, spendable }] });

test('a terminal that claims more than the channel holds is logged, counted and not routed over until it fits', () => {
  const { network, channelId } = pair();
  report(network, 2, 51n, channelId);
  expect(network.state.counters.inconsistentReports).toBe(1);
  expect(network.logs.at(-1)).toMatchObject({ level: 'warn', facts: { channelId, reporter: terminalNumber(2) } });
  network.order(1, 2);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NOT_ENOUGH_BALANCE' });
  report(network, 2, 50n, channelId);
  network.order(1, 2);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a claim that ignores what is locked in a payment is inconsistent too', () => {
  const { network, channelId } = pair();
  network.terminal(2).behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  network.order(1, 2, { amount: 40n });
  expect(network.state.counters.inconsistentReports).toBe(0);
  report(network, 2, 90n, channelId);
  expect(network.state.counters.inconsistentReports).toBe(1);
});

test('a deposit that the hub sees later makes an early report consistent', () => {
  const { network, channelId } = pair();
  report(network, 1, 170n, channelId);
  expect(network.state.channels.get(channelId)?.isConsistent).toBe(false);
  network.chain([{ kind: 'deposited', channelId, side: 'A', total: 170n }]);
  expect(network.state.channels.get(channelId)?.isConsistent).toBe(true);
});

test('payments back and forth keep the reports consistent and the locks at zero', () => {
  const { network, channelId } = pair();
  for (let count = 0; count < 6; count++) network.order(1 + (count % 2), 2 - (count % 2), { amount: 45n });
  expect(network.state.counters).toMatchObject({ inconsistentReports: 0, paymentsComplete: 6 });
  const sides = network.state.channels.get(channelId)?.sides;
  expect([sides?.A, sides?.B].map((side) => [side?.reported, side?.reserved, side?.pending])).toEqual([
    [100n, 0n, 0n],
    [50n, 0n, 0n],
  ]);
});

test('nobody reports for channels of others', () => {
  const { network, channelId } = pair();
  network.join(3);
  report(network, 3, 1_000n, channelId);
  expect(network.state.channels.get(channelId)?.isConsistent).toBe(true);
  expect(network.state.channels.get(channelId)?.sides.A.reported).toBe(100n);
});

test('a settled channel carries nothing any more', () => {
  const { network, channelId } = pair();
  network.chain([{ kind: 'settled', channelId, creditA: 100n, creditB: 50n }]);
  network.order(1, 2);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NO_ROUTE' });
  expect(network.state.map.graph.size).toBe(0);
  expect(network.state.terminals.get(terminalNumber(1))?.channels.size).toBe(0);
});

test('a report that comes before the hub has seen the channel on chain counts when it has', () => {
  const network = new FakeNetwork();
  network.join(1);
  network.join(2);
  const channelId = channelNumber(1);
  report(network, 1, 100n, channelId);
  network.terminal(1).balances.set(channelId, 100n);
  network.terminal(2).balances.set(channelId, 0n);
  const [partyA, partyB] = [terminalNumber(1), terminalNumber(2)];
  const salt = `0x${'00'.repeat(16)}` as never;
  const identity = { partyA, partyB, payoutA: partyA, payoutB: partyB, token: NATIVE, challengePeriod: 0, salt };
  network.chain([
    { kind: 'opened', channelId, identity },
    { kind: 'deposited', channelId, side: 'A', total: 100n },
  ]);
  network.order(1, 2);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('reports about channels that never come are bounded', () => {
  const { network } = pair();
  for (let number = 0; number < MAX_EARLY_REPORTS + 5; number++) report(network, 1, 1n, channelNumber(1000 + number));
  expect(network.state.terminals.get(terminalNumber(1))?.earlyReports.size).toBe(MAX_EARLY_REPORTS);
});
