/**
 * What terminals report that they can spend, and how far the hub believes it (seed patent, claim 13; PROTOCOL.md
 * section 4, prepare).
 *
 * Reports steer routing and are never trusted for money. What the two sides of a channel claim together can never exceed
 * its deposits less what is locked in payments that the hub knows; where it does, one of them lies or news has not
 * arrived yet: that is logged and counted, and the channel is left out of routing until the reports fit again.
 */

import { otherSide, type Side } from '../../enclave/core/channel-identity.ts';
import type { ChannelId, Identity } from '../../enclave/core/ids.ts';
import type { Spendable } from '../../enclave/core/round-messages.ts';
import { MAX_EARLY_REPORTS } from './limits.ts';
import { type ChannelSide, type HubState, type NetworkChannel, type Terminal, warn } from './state.ts';

/**
 * One transfer's hold on the payer's side of its channel.
 * `reserved`: promised by the hub, unknown to the payer's report; `pending`: prepared, so the report excludes it.
 */
export interface Lock {
  readonly channel: NetworkChannel | null;
  readonly side: Side;
  readonly amount: bigint;
  status: 'none' | 'reserved' | 'pending';
}

/** Sets what routing sees of both directions. */
function refresh(channel: NetworkChannel): void {
  for (const side of [channel.sides.A, channel.sides.B]) {
    if (!side.direction) continue;
    const left = (side.reported ?? 0n) - side.reserved;
    side.direction.spendable = channel.isConsistent && left > 0n ? left : 0n;
  }
}

export function moveLock(lock: Lock, status: Lock['status']): void {
  const side = lock.channel?.sides[lock.side];
  if (!lock.channel || !side || lock.status === status) return;
  count(side, lock, -1n);
  lock.status = status;
  count(side, lock, 1n);
  refresh(lock.channel);
}

function count(side: ChannelSide, lock: Lock, sign: 1n | -1n): void {
  if (lock.status === 'reserved') side.reserved += sign * lock.amount;
  if (lock.status === 'pending') side.pending += sign * lock.amount;
}

/** The payer prepared: until its report comes, the hub subtracts the amount itself. */
export function lockPrepared(lock: Lock): void {
  if (lock.status === 'pending') return;
  const side = lock.channel?.sides[lock.side];
  if (side && side.reported !== null) side.reported = side.reported > lock.amount ? side.reported - lock.amount : 0n;
  moveLock(lock, 'pending');
}

/** Takes in what `reporter` says of its channels; what it says of others' channels never counts. */
export function takeReports(state: HubState, reporter: Terminal, reports: readonly Spendable[]): void {
  for (const { channelId, spendable } of reports) {
    const channel = state.channels.get(channelId);
    const side = channel && sideOf(channel, reporter.identity);
    if (!channel || !side) {
      keepEarly(reporter, channelId, spendable);
      continue;
    }
    channel.sides[side].reported = spendable;
    judge(state, channel, reporter.identity);
  }
}

function keepEarly({ earlyReports }: Terminal, channelId: ChannelId, spendable: bigint): void {
  earlyReports.delete(channelId);
  earlyReports.set(channelId, spendable);
  const [oldest] = earlyReports.keys();
  if (earlyReports.size > MAX_EARLY_REPORTS && oldest !== undefined) earlyReports.delete(oldest);
}

const sideOf = (channel: NetworkChannel, owner: Identity): Side | null =>
  channel.sides.A.owner === owner ? 'A' : channel.sides.B.owner === owner ? 'B' : null;

/** Compares both reports with the deposits (claim 13). `reporter` is named in the log; null: the chain moved. */
export function judge(state: HubState, channel: NetworkChannel, reporter: Identity | null): void {
  const { A, B } = channel.sides;
  const claimed = (A.reported ?? 0n) + (B.reported ?? 0n);
  const possible = A.deposit + B.deposit - A.pending - B.pending;
  const isConsistent = claimed <= possible;
  if (!isConsistent && reporter) {
    state.counters.inconsistentReports++;
    warn(state, 'reported balances exceed what the channel holds; it is left out of routing until they fit', {
      channelId: channel.channelId,
      reporter,
      claimed: claimed.toString(),
      possible: possible.toString(),
    });
  }
  channel.isConsistent = isConsistent;
  refresh(channel);
}

/** The largest sum that `payer` can send over one channel of `token`, and whether it has a channel of it at all. */
export function largestSpendable(
  state: HubState,
  payer: Identity,
  token: string,
): { hasChannel: boolean; largest: bigint } {
  let largest = 0n;
  let hasChannel = false;
  state.map.forEachOutgoing(payer, (direction) => {
    if (direction.token !== token) return;
    hasChannel = true;
    if (direction.spendable > largest) largest = direction.spendable;
  });
  return { hasChannel, largest };
}

export const payerSide = (channel: NetworkChannel, party: string): Side =>
  channel.sides.A.party === party ? 'A' : otherSide('A');
