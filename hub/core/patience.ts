/**
 * Orders that are impossible now and may be possible in a moment (PROTOCOL.md section 4, "Unresponsive participants").
 *
 * Two things are known to be under way: payments that were decided but whose amounts some participant has not got or
 * got back yet (whoever hears DONE first may order at once), and, just after a restart, terminals that have not
 * connected again. An order waits for these and for nothing else, a bounded time, on the hub's own clock.
 */

import { otherSide } from '../../enclave/core/channel-identity.ts';
import type { ChannelId, PaymentId } from '../../enclave/core/ids.ts';
import type { Refusal } from './admit.ts';
import { MAX_HOPED_PAYMENTS } from './limits.ts';
import type { Direction } from './map.ts';
import type { Round, RoundPhase } from './round.ts';
import { findRoute } from './route.ts';
import type { ChannelSide, HubState, OrderEntry, Wait } from './state.ts';

/** What becomes of a payment's locked amounts: all of its participants have prepared, or one has rejected. */
const prospects: Readonly<Record<RoundPhase, 'moves' | 'returns' | null>> = {
  preparing: null,
  cancelling: null,
  updating: 'moves',
  completing: 'moves',
  aborting: 'returns',
  over: null,
};

/** @returns what the order may wait for and how long, or null where waiting does not help it */
export function whyWait(state: HubState, entry: OrderEntry, refusal: Refusal): Wait | null {
  if (entry.isCancelled || (!entry.wait && state.waiting.size >= state.settings.limits.maxWaitingOrders)) return null;
  const expiryMs = entry.order.expiry * 1000;
  if (state.nowMs < state.graceUntilMs && mayCome(refusal)) {
    return { untilMs: Math.min(state.graceUntilMs, expiryMs), payments: new Set() };
  }
  if (refusal.code !== 'NO_ROUTE' && refusal.code !== 'NOT_ENOUGH_BALANCE') return null;
  const untilMs = entry.wait?.untilMs ?? Math.min(state.nowMs + state.settings.orderPatienceMs, expiryMs);
  const payments = state.nowMs < untilMs ? paymentsInTheWay(state, entry) : null;
  return payments && { untilMs, payments };
}

/** Whether a terminal that comes back, with its balances, may change the refusal. */
const mayCome = ({ code }: Refusal): boolean =>
  code === 'PAYEE_OFFLINE' || code === 'NO_ROUTE' || code === 'NOT_ENOUGH_BALANCE';

/** The payments on a route that there will be once they are over, or null where there will be none. */
function paymentsInTheWay(state: HubState, { order, ...entry }: OrderEntry): Set<PaymentId> | null {
  const hoped = new Map<Direction, bigint>();
  const byChannel = new Map<ChannelId, PaymentId[]>();
  let count = 0;
  for (const round of state.rounds.values()) {
    if (++count > MAX_HOPED_PAYMENTS) break;
    for (const channelId of hope(round, hoped)) {
      const present = byChannel.get(channelId);
      if (present) present.push(round.paymentId);
      else byChannel.set(channelId, [round.paymentId]);
    }
  }
  if (hoped.size === 0) return null;
  const { processingMs } = state.settings;
  const { excludedTerminals, excludedChannels } = entry;
  const route = findRoute(state.map, { ...order, processingMs, excludedTerminals, excludedChannels, hoped });
  if (!route) return null;
  const payments = route.hops.flatMap(({ direction }) => byChannel.get(direction.channelId) ?? []);
  return payments.length > 0 ? new Set(payments) : null;
}

/** Adds what this payment will leave on its channels. @returns the channels on which that is still to come */
function hope(round: Round, hoped: Map<Direction, bigint>): ChannelId[] {
  const prospect = prospects[round.phase];
  if (prospect === null) return [];
  return round.locks.flatMap(({ channel, side, amount, status }) => {
    if (!channel || status === 'none') return [];
    const gains = prospect === 'moves' ? otherSide(side) : side;
    for (const each of ['A', 'B'] as const) {
      const { direction } = channel.sides[each];
      if (!direction) continue;
      const before = hoped.get(direction) ?? free(channel.sides[each]);
      hoped.set(direction, each === gains ? before + amount : before);
    }
    return [channel.channelId];
  });
}

/** Also where the channel's reports do not fit each other: while a payment ends they come one after the other. */
function free({ reported, reserved }: ChannelSide): bigint {
  const left = (reported ?? 0n) - reserved;
  return left > 0n ? left : 0n;
}
