/**
 * Finds the route with the shortest expected completion time (seed patent 120; PROTOCOL.md section 4).
 *
 * The model. The hub drives all participants of a payment at once, in two rounds and a half. So the time is not a sum
 * over hops but that of the slowest participant, plus what every further participant costs in work:
 *
 *     expectedMs = 2.5 × (largest round-trip time of any participant) + processingMs × (number of participants)
 *
 * A route is a simple path from payer to payee in one token, of at most MAX_TRANSFERS channels, in which
 * - every terminal has a session, and at most one of them prepares last,
 * - every intermediary has a forwarding policy for the token whose minAmount and maxAmount admit what it sends on,
 * - every channel can carry the amount that it has to: the payee's amount plus the fees of all later intermediaries,
 * - all fees together are at most maxFee.
 * Amounts depend on what follows, so the search runs from the payee back to the payer, exact in bigint.
 *
 * Least expectedMs wins; then the least fee, the fewest channels, the least sequence of channel ids: no accident of
 * order decides.
 *
 * The search is label-setting: a label is a path from some terminal to the payee, and one that another label of the same
 * terminal beats in hops, slowest round trip, prepare-last count and amount needed is dropped. That stays exact although
 * paths must be simple: where the better label's path crosses the rest of the route, cutting the loop out gives a route
 * that is better still. Only a minAmount breaks this (a smaller amount may be too small). So if the search met a
 * minAmount that fees could still lift an amount to, it runs again, with labels dropped only for one of exactly the same
 * amount whose terminals are a subset.
 */

import type { Address, ChannelId, Identity } from '../../enclave/core/ids.ts';
import { MAX_TRANSFERS } from '../../enclave/core/limits.ts';
import { forwardingFee } from '../../enclave/core/order.ts';
import { Heap } from './heap.ts';
import { MAX_ROUTE_LABELS, MAX_STRICT_LABELS } from './limits.ts';
import type { Direction, MapNode, NetworkMap } from './map.ts';

/** Requests and answers of PREPARE and UPDATE, and COMPLETE's way out (section 4). */
export const ROUND_TRIPS = 2.5;

export interface RouteRequest {
  readonly payer: Identity;
  readonly payee: Identity;
  readonly token: Address;
  /** What the payee gains. */
  readonly amount: bigint;
  /** What all intermediaries together may keep. */
  readonly maxFee: bigint;
  /** Milliseconds that one more participant costs. */
  readonly processingMs: number;
  /** Terminals that must not forward. */
  readonly excludedTerminals?: ReadonlySet<Identity>;
  readonly excludedChannels?: ReadonlySet<ChannelId>;
  /** What directions are expected to carry soon, where that differs from what they carry now. */
  readonly hoped?: ReadonlyMap<Direction, bigint>;
}

export interface Hop {
  readonly direction: Direction;
  readonly amount: bigint;
}

export interface Route {
  /** From payer to payee. */
  readonly hops: readonly Hop[];
  readonly fee: bigint;
  readonly expectedMs: number;
}

/** A path from `node` to the payee; `needed` must arrive at `node`. */
interface Label {
  readonly node: MapNode;
  readonly needed: bigint;
  readonly hops: number;
  /** Milliseconds; includes the payer's round trip from the start, since every route has it. */
  readonly slowest: number;
  readonly prepareLast: number;
  readonly expectedMs: number;
  /** The channel over which `node` sends on, and to where. */
  readonly via: { readonly direction: Direction; readonly amount: bigint; readonly next: Label } | null;
}

/** @returns null where no route exists (or none was found within MAX_ROUTE_LABELS labels) */
export function findRoute(map: NetworkMap, request: RouteRequest): Route | null {
  const payer = map.node(request.payer);
  const payee = map.node(request.payee);
  if (!payer?.online || !payee?.online || payer === payee) return null;
  const plain = new Search(map, request, { payer, isStrict: false });
  const found = plain.run(payee);
  if (!plain.metMinimum) return found;
  return new Search(map, request, { payer, isStrict: true }).run(payee) ?? found;
}

class Search {
  readonly #map: NetworkMap;
  readonly #request: RouteRequest;
  readonly #payer: MapNode;
  readonly #isStrict: boolean;
  readonly #open = new Heap<Label>(compareLabels);
  readonly #settled = new Map<MapNode, Label[]>();
  /** Whether an amount was below a minAmount that further fees could have lifted it to. */
  metMinimum = false;

  constructor(map: NetworkMap, request: RouteRequest, mode: { payer: MapNode; isStrict: boolean }) {
    this.#map = map;
    this.#request = request;
    this.#payer = mode.payer;
    this.#isStrict = mode.isStrict;
  }

  run(payee: MapNode): Route | null {
    const slowest = Math.max(this.#payer.rttMs, payee.rttMs);
    const prepareLast = countLast(payee);
    const expectedMs = this.#expectedMs(slowest, 0);
    this.#open.push({
      node: payee,
      needed: this.#request.amount,
      hops: 0,
      slowest,
      prepareLast,
      expectedMs,
      via: null,
    });
    const limit = this.#isStrict ? MAX_STRICT_LABELS : MAX_ROUTE_LABELS;
    for (let count = 0; count < limit; count++) {
      const label = this.#open.pop();
      if (!label) return null;
      if (label.node === this.#payer) return routeOf(label, this.#request.amount);
      const others = this.#settled.get(label.node);
      if (others?.some((other) => this.#beats(other, label))) continue;
      if (others) others.push(label);
      else this.#settled.set(label.node, [label]);
      this.#extend(label);
    }
    return null;
  }

  #expectedMs(slowest: number, hops: number): number {
    return ROUND_TRIPS * slowest + this.#request.processingMs * (hops + 1);
  }

  #beats(left: Label, right: Label): boolean {
    if (left.hops > right.hops || left.slowest > right.slowest || left.prepareLast > right.prepareLast) return false;
    if (!this.#isStrict) return left.needed <= right.needed;
    return left.needed === right.needed && isSubset(left, right);
  }

  /** One label for every terminal that could send over one more channel. */
  #extend(label: Label): void {
    if (label.hops === MAX_TRANSFERS) return;
    this.#map.forEachIncoming(label.node.identity, (direction, node) => {
      const { needed: amount } = label;
      const spendable = this.#request.hoped?.get(direction) ?? direction.spendable;
      if (direction.token !== this.#request.token || spendable < amount || !node.online) return;
      if (this.#request.excludedChannels?.has(direction.channelId) || crosses(label, node)) return;
      const needed = node === this.#payer ? amount : this.#withFee(node, amount);
      const prepareLast = label.prepareLast + countLast(node);
      if (needed === null || prepareLast > 1) return;
      const slowest = Math.max(label.slowest, node.rttMs);
      const hops = label.hops + 1;
      const expectedMs = this.#expectedMs(slowest, hops);
      this.#open.push({
        node,
        needed,
        hops,
        slowest,
        prepareLast,
        expectedMs,
        via: { direction, amount, next: label },
      });
    });
  }

  /** What must arrive at an intermediary so that it sends `outgoing` on, or null where it does not. */
  #withFee(node: MapNode, outgoing: bigint): bigint | null {
    const { amount, maxFee, token, excludedTerminals } = this.#request;
    const policy = node.forwarding.get(token);
    if (!policy || excludedTerminals?.has(node.identity) || outgoing > policy.maxAmount) return null;
    if (outgoing < policy.minAmount) {
      if (policy.minAmount <= amount + maxFee) this.metMinimum = true;
      return null;
    }
    const needed = outgoing + forwardingFee(policy, outgoing);
    return needed - amount <= maxFee ? needed : null;
  }
}

const countLast = (node: MapNode): number => (node.prepareLast ? 1 : 0);

function compareLabels(left: Label, right: Label): number {
  if (left.expectedMs !== right.expectedMs) return left.expectedMs - right.expectedMs;
  if (left.needed !== right.needed) return left.needed < right.needed ? -1 : 1;
  if (left.hops !== right.hops) return left.hops - right.hops;
  return compareChannels(left, right);
}

function compareChannels(left: Label, right: Label): number {
  let [one, other] = [left.via, right.via];
  while (one && other) {
    if (one.direction.channelId !== other.direction.channelId)
      return one.direction.channelId < other.direction.channelId ? -1 : 1;
    one = one.next.via;
    other = other.next.via;
  }
  return 0;
}

function crosses(label: Label, node: MapNode): boolean {
  for (let at: Label | undefined = label; at; at = at.via?.next) if (at.node === node) return true;
  return false;
}

function isSubset(left: Label, right: Label): boolean {
  for (let at: Label | undefined = left; at; at = at.via?.next) if (!crosses(right, at.node)) return false;
  return true;
}

function routeOf(label: Label, amount: bigint): Route {
  const hops: Hop[] = [];
  for (let at = label.via; at; at = at.next.via) hops.push({ direction: at.direction, amount: at.amount });
  return { hops, fee: label.needed - amount, expectedMs: label.expectedMs };
}
