/**
 * Section 7 of PROTOCOL.md, in every explored state. It looks at what the chain paid out, at what enclaves let out, and
 * at whether an exit can still be had; never at how an enclave decides.
 */

import { bit, has } from './knowledge.ts';
import type { Judge, Position, Search } from './search.ts';
import { DEPOSIT } from './shapes.ts';
import type { World } from './world.ts';

/** What hosts of these terminals may count on; with all of them, also what they have together. */
export function judgeFor(honest: ReadonlySet<number>): Judge {
  return (position, search) => {
    for (const self of honest) {
      const why = robbed(position, search, self) ?? stuck(position, search, self);
      if (why) return why;
    }
    return honest.size === search.automata.length ? broken(position, search) : null;
  };
}

/** Theft: with all its channels settled, an honest terminal has less than its own reports allow. */
function robbed({ locals, known, chain }: Position, search: Search, self: number): string | null {
  const { world } = search;
  const { settled } = search.chain.at(chain);
  let gain = 0n;
  for (const [index, { ends }] of world.channels.entries()) {
    if (ends.a !== self && ends.b !== self) continue;
    const paidOut = settled[index];
    if (!paidOut) return null;
    gain += (ends.a === self ? paidOut.creditA : 2n * DEPOSIT - paidOut.creditA) - DEPOSIT;
  }
  const facts = search.automata[self]?.facts[locals[self] ?? 0];
  let least = (facts?.received ?? 0n) - (facts?.paid ?? 0n);
  const allowed = new Map<number, bigint>();
  for (const [payment, { payer, payee, amount, order }] of world.payments.entries()) {
    if (payer === self && !isUndone(search, known, { payment, by: self })) allowed.set(order, amount);
    if (payee === self && isDone(search, known, { payment, by: self })) least += amount;
  }
  for (const amount of allowed.values()) least -= amount;
  return gain < least ? `terminal ${self} gained ${gain}, and by its own reports was to gain ${least} at least` : null;
}

interface Report {
  payment: number;
  by: number;
}

const isDone = ({ knowledge }: Search, known: bigint, { payment, by }: Report): boolean =>
  has(known, bit(knowledge.evidence('DONE', payment, by)));

const isAborted = ({ knowledge }: Search, known: bigint, { payment, by }: Report): boolean =>
  has(known, bit(knowledge.aborted(payment, by)));

/** Never prepared, or reported as aborted: its payer owes nothing. */
const isUndone = (search: Search, known: bigint, report: Report): boolean =>
  isAborted(search, known, report) || !has(known, bit(search.knowledge.evidence('PRE', report.payment, report.by)));

/** Exit: each end of an open channel can have one signed, again if need be. */
function stuck({ locals, chain }: Position, search: Search, self: number): string | null {
  const { settled } = search.chain.at(chain);
  const exits = search.automata[self]?.facts[locals[self] ?? 0]?.exits ?? 0;
  for (const [index, { ends }] of search.world.channels.entries()) {
    const isOwn = ends.a === self || ends.b === self;
    if (isOwn && !settled[index] && !((exits >> index) & 1)) return `terminal ${self} cannot exit channel ${index}`;
  }
  return null;
}

/** Conservation, atomicity, finality and abort, where every host is honest. */
function broken({ known, chain }: Position, search: Search): string | null {
  const { world } = search;
  const { settled } = search.chain.at(chain);
  const overdrawn = settled.findIndex((each) => each?.overdrawn);
  if (overdrawn >= 0) return `more was spent on channel ${overdrawn} than it holds`;
  for (const [payment, { participants }] of world.payments.entries()) {
    const applied = appliedOn(search, chain, payment);
    const enclaves = participants.filter((each) => each < search.automata.length);
    if (applied.yes && applied.no) return `payment ${payment} is applied on one channel and not on another`;
    const done = enclaves.some((by) => isDone(search, known, { payment, by }));
    if (done && applied.no) return `payment ${payment} was reported DONE and is not applied`;
    const aborted = enclaves.some((by) => isAborted(search, known, { payment, by }));
    if (aborted && applied.yes) return `payment ${payment} was reported aborted and is applied`;
    if (aborted && done) return `payment ${payment} was reported aborted and DONE`;
  }
  return null;
}

interface Applied {
  yes: boolean;
  no: boolean;
}

const remembered = new WeakMap<Search, Map<number, Applied>>();

/** Whether some settled channel paid out with a payment in it, and some without. */
function appliedOn(search: Search, chain: number, payment: number): Applied {
  const memory = remembered.get(search) ?? new Map<number, Applied>();
  remembered.set(search, memory);
  const key = chain * search.world.payments.length + payment;
  let applied = memory.get(key);
  if (!applied) {
    const { settled } = search.chain.at(chain);
    const all = settled.map((each, channel) => (each ? includes(search.world, { channel, payment, ...each }) : null));
    applied = { yes: all.includes(true), no: all.includes(false) };
    memory.set(key, applied);
  }
  return applied;
}

/** Read from the sum that a channel paid; null where the payment does not cross it, or the sum says nothing. */
function includes(world: World, at: { channel: number; payment: number; creditA: bigint }): boolean | null {
  const hop = world.channels[at.channel];
  if (!hop) return null;
  const effects = world.payments.map(({ terms }) => {
    const transfer = terms.transfers.find((each) => each.channelId === hop.channelId);
    return transfer ? (transfer.payer === hop.channel.partyA ? transfer.amount : -transfer.amount) : 0n;
  });
  if (effects[at.payment] === 0n) return null;
  for (const { channel, by, amount } of world.shape.directs) {
    if (channel === at.channel) effects.push(by === hop.ends.a ? amount : -amount);
  }
  const moved = DEPOSIT - at.creditA;
  for (let subset = 0; subset < 1 << effects.length; subset++) {
    const sum = effects.reduce((total, effect, index) => total + ((subset >> index) & 1 ? effect : 0n), 0n);
    const isMinimal = effects.every((effect, index) => effect !== 0n || !((subset >> index) & 1));
    if (sum === moved && isMinimal) return ((subset >> at.payment) & 1) === 1;
  }
  return null;
}
