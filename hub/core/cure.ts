/** Whether another route may help after an aborted attempt, and what it must leave out. */

import type { ChannelId, Identity } from '../../enclave/core/ids.ts';
import { MAX_EXCLUDED } from './limits.ts';
import type { Failure, Round } from './round.ts';
import type { OrderEntry } from './state.ts';

/**
 * `channel`: something about one channel of whoever rejected. `terminal`: whoever rejected does not want this payment.
 * `others`: somebody else on the route is not acceptable. `final`: no route changes it.
 */
const cures: Readonly<Record<Failure['code'], 'channel' | 'terminal' | 'others' | 'final'>> = {
  UNKNOWN_CHANNEL: 'channel',
  CHANNEL_CLOSING: 'channel',
  CHANNEL_SUSPENDED: 'channel',
  WRONG_PARTY: 'channel',
  WRONG_TOKEN: 'channel',
  NOT_ENOUGH_BALANCE: 'channel',
  TOO_MANY_PENDING: 'channel',
  COUNTER_OVERFLOW: 'channel',
  FORWARDING_REFUSED: 'terminal',
  FEE_TOO_LOW: 'terminal',
  CANCELLED: 'terminal',
  NOT_PREPARABLE: 'terminal',
  PARTICIPANT_REFUSED: 'others',
  TIMEOUT: 'terminal',
  EXPIRED: 'final',
  NOT_ORDERED: 'final',
  ORDER_IN_USE: 'final',
  FEE_TOO_HIGH: 'final',
  UNKNOWN_INVOICE: 'final',
  INVOICE_IN_USE: 'final',
  WRONG_AMOUNT: 'final',
  NOT_ACCEPTING: 'final',
  GIVEN_UP: 'final',
  VOID_ON_CHAIN: 'final',
};

interface Exclusions {
  terminals: Identity[];
  channels: ChannelId[];
}

function exclusions(round: Round): Exclusions {
  const { failure, order } = round;
  const none: Exclusions = { terminals: [], channels: [] };
  if (!failure) return none;
  const isBetween = (identity: Identity): boolean => identity !== order.payer && identity !== order.payee;
  const blamed = failure.by === null ? [...failure.silent] : [failure.by];
  switch (cures[failure.code]) {
    case 'final':
      return none;
    case 'terminal':
      return blamed.every(isBetween) ? { ...none, terminals: blamed } : none;
    case 'others':
      return { ...none, terminals: round.members.map((each) => each.identity).filter(isBetween) };
    case 'channel':
      return blamed.every(isBetween) && failure.code !== 'NOT_ENOUGH_BALANCE'
        ? { ...none, terminals: blamed }
        : { ...none, channels: blamed.flatMap((identity) => channelsOf(round, identity)) };
  }
}

/** The channels over which `identity` pays; where it pays nothing (the payee), those over which it is paid. */
function channelsOf(round: Round, identity: Identity): ChannelId[] {
  const member = round.members[round.place.get(identity) ?? -1];
  const places = member?.outgoing.length ? member.outgoing : (member?.incoming ?? []);
  return places.flatMap((index) => round.terms.transfers[index]?.channelId ?? []);
}

/** True where leaving something out gives the next attempt a chance. */
export function canCure(round: Round): boolean {
  const { terminals, channels } = exclusions(round);
  return terminals.length + channels.length > 0;
}

/** Remembers for the next attempts of the order what to leave out. */
export function learn(entry: OrderEntry, round: Round): void {
  const { terminals, channels } = exclusions(round);
  for (const identity of terminals)
    if (entry.excludedTerminals.size < MAX_EXCLUDED) entry.excludedTerminals.add(identity);
  for (const channelId of channels)
    if (entry.excludedChannels.size < MAX_EXCLUDED) entry.excludedChannels.add(channelId);
}
