/**
 * Which proposed channels are agreed to (PROTOCOL.md section 3, "Open"). Agreeing costs nothing but a place in the list:
 * the money is the proposer's, and the enclave itself checks whose the party addresses are.
 */

import { otherSide } from '../enclave/core/channel-identity.ts';
import { type Address, ZERO_ADDRESS } from '../enclave/core/ids.ts';
import type { ChannelView } from '../enclave/core/interface.ts';
import type { ProposedChannel } from './session.ts';

export interface ProposalRules {
  payout: Address;
  tokens: readonly Address[];
  /** Seconds. */
  maxChallengePeriodS: number;
}

/** Agreed channels with one peer on which nobody has deposited anything. */
const MAX_UNFUNDED_PER_PEER = 16;

/** @returns why it is refused, in words, or null */
export function whyNotAgreed(
  proposal: ProposedChannel,
  rules: ProposalRules,
  channels: readonly ChannelView[],
): string | null {
  const { channel, side, from } = proposal;
  const payout = { A: channel.payoutA, B: channel.payoutB };
  if (payout[side] !== rules.payout) return `side ${side} would be paid out to ${payout[side]}, not to ${rules.payout}`;
  if (payout[otherSide(side)] === ZERO_ADDRESS) return 'the proposer names no payout address of its own';
  if (!rules.tokens.includes(channel.token)) return `channels in the token ${channel.token} are not taken here`;
  if (channel.challengePeriod > rules.maxChallengePeriodS) {
    return `the challenge period of ${channel.challengePeriod} s is longer than ${rules.maxChallengePeriodS} s`;
  }
  const unfunded = channels.filter(
    (each) => each.peer === from && !each.settled && each.ownDeposit === 0n && each.peerDeposit === 0n,
  );
  if (unfunded.length >= MAX_UNFUNDED_PER_PEER) return `${unfunded.length} channels with it wait for a deposit already`;
  return null;
}
