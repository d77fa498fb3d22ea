import fc from 'fast-check';
import { bidirectional } from 'graphology-shortest-path/unweighted.js';
import { expect, test } from 'vitest';
import type { Identity } from '../../enclave/core/ids.ts';
import { NATIVE } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT, MAX_TRANSFERS } from '../../enclave/core/limits.ts';
import { type ForwardingPolicy, forwardingFee } from '../../enclave/core/order.ts';
import { addressNumber, channelNumber, terminalNumber } from '../testing/names.ts';
import { type Direction, NetworkMap } from './map.ts';
import { findRoute, type Hop, ROUND_TRIPS, type Route, type RouteRequest } from './route.ts';

const freePolicy: ForwardingPolicy = {
  token: NATIVE,
  minAmount: 1n,
  maxAmount: MAX_AMOUNT,
  feeBase: 0n,
  feePpm: 0,
  maxPendingPerPeer: 100,
  maxPendingPerPayer: 100,
};

interface TerminalSpec {
  rttMs: number;
  online: boolean;
  prepareLast: boolean;
  policy: Partial<ForwardingPolicy> | null;
}
interface ChannelSpec {
  from: number;
  to: number;
  spendable: bigint;
  back: bigint;
}
interface GraphSpec {
  terminals: TerminalSpec[];
  channels: ChannelSpec[];
}

const plain: TerminalSpec = { rttMs: 10, online: true, prepareLast: false, policy: {} };
const channel = (from: number, to: number, spendable = 1000n, back = 0n): ChannelSpec => ({
  from,
  to,
  spendable,
  back,
});

function mapOf(spec: GraphSpec, order: number[] = spec.channels.map((_, index) => index)): NetworkMap {
  const map = new NetworkMap();
  for (const [index, { rttMs, online, prepareLast, policy }] of spec.terminals.entries()) {
    const forwarding = policy ? [{ ...freePolicy, ...policy }] : [];
    map.putNode(terminalNumber(index), { forwarding, prepareLast }, rttMs).online = online;
  }
  for (const index of order) {
    const found = spec.channels[index];
    if (!found || found.from === found.to) continue;
    const sides: [number, number, bigint][] = [
      [found.from, found.to, found.spendable],
      [found.to, found.from, found.back],
    ];
    for (const [from, to, spendable] of sides) {
      const [payer, payee] = [terminalNumber(from), terminalNumber(to)];
      map.addDirection({
        channelId: channelNumber(index),
        token: NATIVE,
        payer,
        payee,
        payerParty: payer,
        payeeParty: payee,
        spendable,
      });
    }
  }
  return map;
}

const request = (over: Partial<RouteRequest> = {}): RouteRequest => ({
  payer: terminalNumber(0),
  payee: terminalNumber(1),
  token: NATIVE,
  amount: 100n,
  maxFee: 50n,
  processingMs: 1,
  ...over,
});

/** Every simple path that satisfies the model, judged straight from its definition. */
function bruteForce(map: NetworkMap, wanted: RouteRequest): [number, bigint, number] | null {
  let best: [number, bigint, number] | null = null;
  const judge = (path: Direction[]): void => {
    const nodes = [wanted.payer, ...path.map((each) => each.payee)].map((each) => map.node(each));
    let amount = wanted.amount;
    for (const direction of [...path].reverse()) {
      if (direction.spendable < amount) return;
      if (direction.payer === wanted.payer) break;
      const policy = map.node(direction.payer)?.forwarding.get(wanted.token);
      if (!policy || amount < policy.minAmount || amount > policy.maxAmount) return;
      amount += forwardingFee(policy, amount);
    }
    const lasts = nodes.filter((node) => node?.prepareLast).length;
    if (amount - wanted.amount > wanted.maxFee || lasts > 1 || nodes.some((node) => !node?.online)) return;
    const slowest = Math.max(...nodes.map((node) => node?.rttMs ?? 0));
    const found: [number, bigint, number] = [
      ROUND_TRIPS * slowest + wanted.processingMs * nodes.length,
      amount - wanted.amount,
      path.length,
    ];
    if (!best || compare(found, best) < 0) best = found;
  };
  const walk = (at: Identity, path: Direction[]): void => {
    if (at === wanted.payee) return judge(path);
    if (path.length === MAX_TRANSFERS) return;
    map.forEachOutgoing(at, (direction) => {
      const isKnown = direction.payee === wanted.payer || path.some((each) => each.payee === direction.payee);
      const isExcluded = direction.payee !== wanted.payee && wanted.excludedTerminals?.has(direction.payee);
      if (isKnown || isExcluded || wanted.excludedChannels?.has(direction.channelId)) return;
      walk(direction.payee, [...path, direction]);
    });
  };
  walk(wanted.payer, []);
  return best;
}

function compare(left: [number, bigint, number], right: [number, bigint, number]): number {
  if (left[0] !== right[0]) return left[0] - right[0];
  if (left[1] !== right[1]) return left[1] < right[1] ? -1 : 1;
  return left[2] - right[2];
}

const valueOf = (route: Route | null): [number, bigint, number] | null =>
  route && [route.expectedMs, route.fee, route.hops.length];
const channelsOf = (route: Route | null): string[] | undefined => route?.hops.map((hop) => hop.direction.channelId);

const amounts = fc.bigInt({ min: 0n, max: 160n });
const terminalSpec = fc.record<TerminalSpec>({
  rttMs: fc.constantFrom(5, 10, 20, 40),
  online: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
  prepareLast: fc.integer({ min: 0, max: 5 }).map((number) => number === 0),
  policy: fc.option(
    fc.record({
      minAmount: fc.constantFrom(1n, 1n, 1n, 90n, 103n, 111n, 200n),
      maxAmount: fc.constantFrom(MAX_AMOUNT, MAX_AMOUNT, 104n),
      feeBase: fc.constantFrom(0n, 1n, 3n, 10n),
      feePpm: fc.constantFrom(0, 10_000, 100_000),
    }),
    { freq: 8 },
  ),
});
const graphSpec = fc.record({
  terminals: fc.array(terminalSpec, { minLength: 2, maxLength: 7 }),
  channels: fc.array(
    fc.record({
      from: fc.integer({ min: 0, max: 6 }),
      to: fc.integer({ min: 0, max: 6 }),
      spendable: amounts,
      back: amounts,
    }),
    { maxLength: 14 },
  ),
});
const fitting = (spec: GraphSpec): GraphSpec => ({
  ...spec,
  channels: spec.channels.filter(({ from, to }) => from < spec.terminals.length && to < spec.terminals.length),
});

test('a route is the best of all simple paths, by time, then fee, then hops', () => {
  fc.assert(
    fc.property(graphSpec, fc.constantFrom(0n, 5n, 50n), (spec, maxFee) => {
      const map = mapOf(fitting(spec));
      const wanted = request({ maxFee });
      expect(valueOf(findRoute(map, wanted))).toEqual(bruteForce(map, wanted));
    }),
    { numRuns: 1500 },
  );
});

test('a route avoids what is excluded, and is still the best of the rest', () => {
  fc.assert(
    fc.property(
      graphSpec,
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 0, max: 13 }),
      (spec, terminal, channelAt) => {
        const map = mapOf(fitting(spec));
        const excludedTerminals = new Set([terminalNumber(terminal)]);
        const excludedChannels = new Set([channelNumber(channelAt)]);
        const wanted = request({ excludedTerminals, excludedChannels });
        expect(valueOf(findRoute(map, wanted))).toEqual(bruteForce(map, wanted));
      },
    ),
    { numRuns: 300 },
  );
});

test('the route does not depend on the order in which channels became known', () => {
  fc.assert(
    fc.property(graphSpec, (spec) => {
      const fitted = fitting(spec);
      const backwards = fitted.channels.map((_, index) => index).reverse();
      const [one, other] = [findRoute(mapOf(fitted), request()), findRoute(mapOf(fitted, backwards), request())];
      expect(channelsOf(one)).toEqual(channelsOf(other));
    }),
    { numRuns: 300 },
  );
});

test('with equal terminals the route has as few hops as graphology-shortest-path finds', () => {
  fc.assert(
    fc.property(graphSpec, (spec) => {
      const terminals = spec.terminals.map(() => plain);
      const channels = fitting(spec).channels.map((each) => ({ ...each, spendable: 1000n, back: 1000n }));
      const map = mapOf({ terminals, channels });
      const shortest = bidirectional(map.graph, terminalNumber(0), terminalNumber(1));
      expect(findRoute(map, request())?.hops.length).toBe(shortest ? shortest.length - 1 : undefined);
    }),
    { numRuns: 300 },
  );
});

test('a quick detour beats a short way over a slow terminal', () => {
  const terminals = [plain, plain, { ...plain, rttMs: 200 }, plain, plain];
  const channels = [channel(0, 2), channel(2, 1), channel(0, 3), channel(3, 4), channel(4, 1)];
  const route = findRoute(mapOf({ terminals, channels }), request());
  expect(channelsOf(route)).toEqual([channelNumber(2), channelNumber(3), channelNumber(4)]);
  expect(route?.expectedMs).toBe(ROUND_TRIPS * 10 + 4);
});

test('fees are added backwards, exactly, rounded up for each intermediary', () => {
  const dear = { ...plain, policy: { feeBase: 1n, feePpm: 10_000 } };
  const channels = [channel(0, 2, 2n ** 100n), channel(2, 3, 2n ** 100n), channel(3, 1, 2n ** 100n)];
  const amount = 2n ** 90n + 1n;
  const map = mapOf({ terminals: [plain, plain, dear, dear], channels });
  const route = findRoute(map, request({ amount, maxFee: amount }));
  const second = amount + 1n + (amount * 10_000n + 999_999n) / 1_000_000n;
  const first = second + 1n + (second * 10_000n + 999_999n) / 1_000_000n;
  expect(route?.hops.map((hop: Hop) => hop.amount)).toEqual([first, second, amount]);
  expect(route?.fee).toBe(first - amount);
});

test('a channel that carries the amount but not the fees above it is no way', () => {
  const dear = { ...plain, policy: { feeBase: 1n } };
  const short = { terminals: [plain, plain, dear], channels: [channel(0, 2, 100n), channel(2, 1, 100n)] };
  expect(findRoute(mapOf(short), request())).toBeNull();
  const enough = { terminals: [plain, plain, dear], channels: [channel(0, 2, 101n), channel(2, 1, 100n)] };
  expect(findRoute(mapOf(enough), request())?.fee).toBe(1n);
});

test('another token has other channels and other policies', () => {
  const map = mapOf({ terminals: [plain, plain], channels: [channel(0, 1)] });
  expect(findRoute(map, request({ token: addressNumber(9) }))).toBeNull();
});

test('a detour is taken where only its fees lift the amount over an intermediary’s least amount', () => {
  const choosy = { ...plain, policy: { minAmount: 101n } };
  const dear = { ...plain, policy: { feeBase: 1n } };
  const channels = [channel(0, 2), channel(2, 1), channel(2, 3), channel(3, 1)];
  const route = findRoute(mapOf({ terminals: [plain, plain, choosy, dear], channels }), request());
  expect(channelsOf(route)).toEqual([0, 2, 3].map(channelNumber));
});

test('a payment has at most 64 transfers', () => {
  const line = (length: number): NetworkMap => {
    const way = [0, ...Array.from({ length: length - 1 }, (_, index) => index + 2), 1];
    const channels = way.slice(1).map((to, index) => channel(way[index] ?? 0, to));
    return mapOf({ terminals: way.map(() => plain), channels });
  };
  expect(findRoute(line(MAX_TRANSFERS), request())?.hops.length).toBe(MAX_TRANSFERS);
  expect(findRoute(line(MAX_TRANSFERS + 1), request())).toBeNull();
});
