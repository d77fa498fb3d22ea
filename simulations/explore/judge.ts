/**
 * Section 7 of PROTOCOL.md, in every explored state. It looks at what the chain paid out, at what enclaves let out, and
 * at whether an exit can still be had; never at how an enclave decides.
 */

import type { Explored, Judge, Search } from './search.ts';
import type { World } from './shapes.ts';

/** What hosts of these terminals may count on; with all of them, also what they have together. */
export function judgeFor(honest: ReadonlySet<number>): Judge {
  return (state, search) => {
    for (const self of honest) {
      const why = robbed(state, search, self) ?? stuck(state, search, self);
      if (why) return why;
    }
    return honest.size === search.world.states.length ? broken(state, search) : null;
  };
}

/** Theft: with all its channels settled, an honest terminal has less than its own reports allow. */
function robbed(state: Explored, search: Search, self: number): string | null {
  const { world } = search;
  let gain = 0n;
  for (const [index, { ends }] of world.channels.entries()) {
    if (ends.a !== self && ends.b !== self) continue;
    const settled = state.settled(index);
    if (settled === 0) return null;
    const creditA = BigInt(settled - 1);
    gain += (ends.a === self ? creditA : 2n * world.deposit - creditA) - world.deposit;
  }
  let least = 0n;
  for (const [payment, { payer, payee, amount }] of world.payments.entries()) {
    if (payer === self && !reportedUndone(state, search, payment, self)) least -= amount;
    if (payee === self && reportedDone(state, search, payment, self)) least += amount;
  }
  return gain < least ? `terminal ${self} has ${gain}, and was entitled to ${least}` : null;
}

const reportedDone = (state: Explored, search: Search, payment: number, by: number): boolean =>
  state.knows(search.knowledge.evidence('DONE', payment, by));

function reportedUndone(state: Explored, search: Search, payment: number, by: number): boolean {
  const { knowledge } = search;
  const hasNotPrepared = !state.knows(knowledge.evidence('PRE', payment, by));
  return hasNotPrepared || state.knows(knowledge.aborted(payment, by));
}

/** Exit: each end of an open channel has an exit, or can have one signed. */
function stuck(state: Explored, search: Search, self: number): string | null {
  for (const [index, { channel, ends }] of search.world.channels.entries()) {
    if ((ends.a !== self && ends.b !== self) || state.settled(index) !== 0) continue;
    const enclave = search.enclaves[self];
    const result = enclave?.step(state.local(self), `exit ${index}`, {
      now: 1_800_000_000,
      command: { kind: 'exit', channel },
    }).result;
    if (result?.kind !== 'exit') return `terminal ${self} cannot exit channel ${index}`;
  }
  return null;
}

/** Atomicity, finality and abort, where every host is honest. */
function broken(state: Explored, search: Search): string | null {
  const { world } = search;
  for (const [payment, { participants }] of world.payments.entries()) {
    const applied = world.channels.flatMap((_, index) => appliedOn(state, world, { channel: index, payment }) ?? []);
    if (applied.includes(true) && applied.includes(false))
      return `payment ${payment} is applied on one channel and not on another`;
    const done = participants.some((each) => reportedDone(state, search, payment, each));
    if (done && applied.includes(false)) return `payment ${payment} was reported DONE and is not applied`;
    const aborted = participants.some((each) => state.knows(search.knowledge.aborted(payment, each)));
    if (aborted && applied.includes(true)) return `payment ${payment} was reported aborted and is applied`;
    if (aborted && done) return `payment ${payment} was reported aborted and DONE`;
  }
  return null;
}

/** Whether a settled channel paid out with a payment in it, read from the sum; null where it is open or not crossed. */
function appliedOn(state: Explored, world: World, at: { channel: number; payment: number }): boolean | null {
  const hop = world.channels[at.channel];
  const settled = state.settled(at.channel);
  if (!hop || settled === 0) return null;
  const moved = world.deposit - BigInt(settled - 1);
  const effects = world.payments.map(({ terms }) => {
    const transfer = terms.transfers.find((each) => each.channelId === hop.channelId);
    return transfer ? (transfer.payer === hop.channel.partyA ? transfer.amount : -transfer.amount) : 0n;
  });
  if (effects[at.payment] === 0n) return null;
  for (let subset = 0; subset < 1 << effects.length; subset++) {
    const sum = effects.reduce((total, effect, index) => total + ((subset >> index) & 1 ? effect : 0n), 0n);
    const isMinimal = effects.every((effect, index) => effect !== 0n || !((subset >> index) & 1));
    if (sum === moved && isMinimal) return ((subset >> at.payment) & 1) === 1;
  }
  return null;
}
