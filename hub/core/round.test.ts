import { expect, test } from 'vitest';
import type { ChannelId } from '../../enclave/core/ids.ts';
import { bytes16, NATIVE, ZERO_32 } from '../../enclave/core/ids.ts';
import { terminalNumber } from '../testing/names.ts';
import { deployment, FakeNetwork } from '../testing/network.ts';
import { begin } from './drive.ts';
import { newState } from './state.ts';
import { step } from './step.ts';

/** Terminals 1 – 2 – 3 – 4 in a line, 100 on each side of each channel. */
function line(): FakeNetwork & { channels: ChannelId[] } {
  const network = new FakeNetwork();
  for (const number of [1, 2, 3, 4]) network.join(number);
  const channels = [1, 2, 3].map((number) => network.open(number, [number, number + 1], [100n, 100n]));
  return Object.assign(network, { channels });
}

const kinds = (network: FakeNetwork, number: number): string[] =>
  network.terminal(number).steps.map((each) => each.kind);
const balancesOf = (network: FakeNetwork, number: number): bigint[] => [...network.terminal(number).balances.values()];

test('a payment over three hops completes at everybody, with evidence that each of them verifies', () => {
  const network = line();
  const order = network.order(1, 4);
  for (const number of [1, 2, 3, 4]) expect(kinds(network, number)).toEqual(['prepare', 'update', 'complete']);
  expect(balancesOf(network, 1)).toEqual([90n]);
  expect(balancesOf(network, 4)).toEqual([110n]);
  expect(balancesOf(network, 2)).toEqual([110n, 90n]);
  expect(network.updates(1).map((each) => each.state)).toEqual(['preparing', 'updating', 'completing', 'complete']);
  expect(network.updates(1)[0]).toMatchObject({ orderId: order.orderId, hops: 3, attempt: 0 });
  expect(network.state.rounds.size + network.state.orders.size + network.state.held.size).toBe(0);
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['complete']);
});

test('news name who has not answered the present step', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('updating');
  network.wait(5_000);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'updating', waitingFor: [terminalNumber(3)] });
});

test('participants are introduced to each other before they are asked, once in a session', () => {
  const network = line();
  network.order(1, 4);
  network.order(1, 4);
  const introduced = network
    .terminal(2)
    .received.flatMap((each) => (each.kind === 'introduce' ? [each.credential.identity] : []));
  expect(introduced.sort()).toEqual([1, 3, 4].map(terminalNumber));
  network.disconnect(2);
  network.connect(2);
  network.order(1, 4);
  expect(network.terminal(2).received.filter((each) => each.kind === 'introduce').length).toBe(6);
});

test('a terminal that forgot a participant is introduced again and asked again', () => {
  const network = line();
  network.order(1, 4);
  network.terminal(2).known.delete(terminalNumber(4));
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a rejection aborts the payment at everybody who prepared, by evidence that they verify', () => {
  const network = line();
  const { behave } = network.terminal(4);
  network.terminal(4).behave = (asked, paymentId) =>
    asked.kind === 'prepare' ? network.terminal(4).reject(asked, paymentId, 'NOT_ACCEPTING') : behave(asked, paymentId);
  network.order(1, 4);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'NOT_ACCEPTING', waitingFor: [] });
  for (const number of [1, 2, 3]) {
    expect([...network.terminal(number).payments.values()].map((each) => each.phase)).toEqual(['ABORTED']);
  }
  expect(network.state.rounds.size).toBe(0);
  const [payment] = network.payments.values();
  expect(payment).toMatchObject({ state: 'aborted', code: 'NOT_ACCEPTING' });
  network.terminal(4).behave = behave;
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a participant that does not answer PREPARE is cancelled, and rejects what it has not prepared', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'prepare' ? 'silent' : undefined);
  network.order(1, 4);
  network.wait(5_100);
  expect(kinds(network, 3)).toEqual(['prepare', 'cancel']);
  expect(network.terminal(1).payments.values().next().value?.phase).toBe('ABORTED');
  expect(network.lastUpdate(1)?.state).toBe('failed');
  network.terminal(3).behave = () => undefined;
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('CANCEL that finds everybody prepared lets the payment go on', () => {
  const network = line();
  const lost = network.terminal(3);
  let isLost = true;
  lost.behave = (asked, paymentId) => {
    if (asked.kind !== 'prepare' || !isLost) return undefined;
    isLost = false;
    lost.answer(asked, paymentId);
    return 'silent';
  };
  network.order(1, 4);
  network.wait(5_100);
  expect(kinds(network, 3)).toEqual(['prepare', 'cancel', 'prepare', 'update', 'complete']);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('the payer can give up until everybody has prepared', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'prepare' ? 'silent' : undefined);
  const order = network.order(1, 4);
  network.say(1, { kind: 'cancelOrder', orderId: order.orderId });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'GIVEN_UP' });
  expect(network.payments.size).toBe(1);
  network.say(1, { kind: 'order', order });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'GIVEN_UP' });
  expect(network.payments.size).toBe(1);
});

test('giving up after everybody has prepared is too late, and said so', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  const order = network.order(1, 4);
  network.say(1, { kind: 'cancelOrder', orderId: order.orderId });
  expect(network.lastUpdate(1)).toMatchObject({ state: 'updating' });
  expect(network.lastUpdate(1)?.message).toContain('Too late');
  network.terminal(3).behave = () => undefined;
  network.wait(5_000);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a payment that expires while it is prepared is cancelled', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'prepare' ? 'silent' : undefined);
  network.order(1, 4, { expiry: network.nowS + 2 });
  network.wait(2_200);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'EXPIRED' });
  expect(network.state.rounds.size).toBe(0);
});

test('a participant that missed COMPLETE gets it when it is back', () => {
  const network = line();
  network.terminal(3).behave = (asked) => (asked.kind === 'complete' ? 'silent' : undefined);
  network.order(1, 4);
  network.disconnect(3);
  network.terminal(3).behave = () => undefined;
  expect(network.lastUpdate(1)).toMatchObject({ state: 'completing' });
  network.connect(3);
  expect(network.lastUpdate(1)?.state).toBe('complete');
  expect(balancesOf(network, 3)).toEqual([110n, 90n]);
});

test('whoever a liar gave false POST evidence completes by the DONE of the others', () => {
  const network = line();
  const liar = network.terminal(2);
  liar.behave = (asked, paymentId) => {
    const answer = liar.answer(asked, paymentId);
    const [first] = answer.kind === 'updated' ? answer.evidence : [];
    if (first) first[0] = (first[0] ?? 0) ^ 1;
    return answer;
  };
  network.order(1, 4);
  expect(kinds(network, 1).slice(0, 3)).toEqual(['prepare', 'update', 'complete']);
  expect(kinds(network, 1)).toContain('completeByDone');
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('false PRE evidence leaves a payment waiting, and an outcome on chain ends it', () => {
  const network = line();
  const liar = network.terminal(2);
  liar.behave = (asked, paymentId) => {
    const answer = liar.answer(asked, paymentId);
    const [first] = answer.kind === 'prepared' ? answer.evidence : [];
    if (first) first[0] = (first[0] ?? 0) ^ 1;
    return answer;
  };
  network.order(1, 4);
  network.wait(20_000);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'updating', waitingFor: [terminalNumber(1)] });
  const [paymentId] = network.payments.keys();
  if (paymentId) network.chain([{ kind: 'outcome', paymentId, outcome: 'VOID' }]);
  expect(network.lastUpdate(1)).toMatchObject({ state: 'failed', code: 'VOID_ON_CHAIN' });
  expect(network.state.rounds.size).toBe(0);
});

test('REJECT after PRE and evidence for another number of participants are ignored and counted', () => {
  const network = line();
  const strange = network.terminal(2);
  strange.behave = (asked, paymentId) => {
    if (asked.kind !== 'update') return undefined;
    return { kind: 'rejected', paymentId, reason: 'EXPIRED', evidence: strange.macs('REJECT', paymentId) };
  };
  network.order(1, 4);
  strange.behave = (asked, paymentId) =>
    asked.kind === 'update' ? { kind: 'updated', paymentId, evidence: [] } : undefined;
  network.wait(5_000);
  expect(network.state.counters.strangeAnswers).toBe(2);
  strange.behave = () => undefined;
  network.wait(20_000);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a held participant is asked again after the next COMPLETE on its channel', () => {
  const network = line();
  const [first] = network.channels;
  // Terminal 2 has nothing towards 1; what 1 sends it is in POST-UPDATE when 2 wants to send it back.
  network.terminal(2).balances.set(first as ChannelId, 0n);
  network.say(2, { kind: 'balances', balances: [{ channelId: first as ChannelId, spendable: 0n }] });
  network.terminal(1).behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  const there = network.order(1, 2);
  network.say(2, { kind: 'balances', balances: [{ channelId: first as ChannelId, spendable: 10n }] });
  const back = network.order(2, 1);
  expect(kinds(network, 2).filter((kind) => kind === 'prepare').length).toBeGreaterThan(1);
  expect(network.state.held.size).toBe(1);
  network.terminal(1).behave = () => undefined;
  network.disconnect(1);
  network.connect(1);
  expect(network.updates(1).findLast((each) => each.orderId === there.orderId)?.state).toBe('complete');
  expect(network.updates(2).findLast((each) => each.orderId === back.orderId)?.state).toBe('complete');
  expect(network.state.held.size).toBe(0);
});

test('whoever prepares last is asked when the evidence of all others is there', () => {
  const network = new FakeNetwork();
  network.join(1);
  network.join(2, { prepareLast: true });
  network.join(3);
  network.open(1, [1, 2], [100n, 0n]);
  network.open(2, [2, 3], [100n, 0n]);
  network.order(1, 3);
  const prepares = network.terminal(2).steps.filter((each) => each.kind === 'prepare');
  expect(prepares.map((each) => each.preEvidence !== null)).toEqual([true]);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('a terminal that answers NEED_PRE unannounced is asked again with the evidence', () => {
  const network = line();
  Object.assign(network.terminal(2).policy, { prepareLast: true });
  network.order(1, 4);
  const prepares = network.terminal(2).steps.filter((each) => each.kind === 'prepare');
  expect(prepares.map((each) => each.preEvidence !== null)).toEqual([false, true]);
  expect(network.lastUpdate(1)?.state).toBe('complete');
});

test('two that both prepare last cannot pay together, and nothing stays locked', () => {
  const network = line();
  for (const number of [2, 3]) Object.assign(network.terminal(number).policy, { prepareLast: true });
  network.order(1, 4);
  expect(network.lastUpdate(1)?.state).toBe('failed');
  expect(network.state.rounds.size).toBe(0);
});

test('one round carries any set of transfers: two payers, two payees, an intermediary in between', () => {
  const network = new FakeNetwork();
  for (const number of [1, 2, 3, 4, 5]) network.join(number);
  const pairs: [number, number][] = [
    [1, 3],
    [2, 3],
    [3, 4],
    [3, 5],
  ];
  const transfers = pairs.map(([payer, payee], index) => ({
    channelId: network.open(index + 1, [payer, payee], [50n, 0n]),
    payer: terminalNumber(payer),
    payee: terminalNumber(payee),
    token: NATIVE,
    amount: index === 0 || index === 2 ? 20n : 30n,
  }));
  const terms = { nonce: bytes16(`0x${'01'.repeat(16)}`), invoice: ZERO_32, expiry: network.nowS + 60, transfers };
  const order = { ...network.order(1, 2, { amount: 1_000n }), amount: 50n };
  const participants = [1, 2, 3, 4, 5].map(terminalNumber);
  begin(network.state, { paymentId: network.idOf(terms), terms, order, attempt: 0, fee: 0n, participants });
  network.feed({ kind: 'tick' });
  expect([...network.payments.values()].map((each) => each.state)).toEqual(['complete']);
  expect([1, 2, 3, 4, 5].map((number) => balancesOf(network, number))).toEqual([
    [30n],
    [20n],
    [20n, 30n, 30n, 20n],
    [20n],
    [30n],
  ]);
});

test('nothing that an unknown session says has an effect', () => {
  const state = newState(deployment, { ...new FakeNetwork().state.settings }, 0);
  expect(step(state, { kind: 'message', session: 9, message: { kind: 'balances', balances: [] } }, 1)).toEqual([]);
  expect(step(state, { kind: 'disconnected', session: 9 }, 1)).toEqual([]);
});
