/**
 * One terminal as a finite automaton, and what makes it smaller without making it another (README.md, Reductions):
 * what a path has let out for certain is not let out again, a way is dropped where an easier one leads to the same, and
 * states that no move tells apart are one (bisimulation).
 */

import { bit, has } from './knowledge.ts';
import type { Claim } from './moves.ts';

export interface Transition {
  name: string;
  /** Items that must be known. */
  needs: bigint;
  claim: Claim | null;
  next: number;
  /** Items that it lets out. */
  out: bigint;
  /** The number of the move that it comes from. */
  by: number;
}

/** What the judge sees of a local state. */
export interface Facts {
  /** Channels whose exit is signed when asked for, a bit each. */
  exits: number;
  /** Base units that this terminal's owner paid directly, and that its enclave reported as received. */
  paid: bigint;
  received: bigint;
  /** Not explored from here on: the enclave has counted a payment twice, which has no end. */
  cut: boolean;
}

export interface Automaton {
  start: number;
  facts: Facts[];
  transitions: Transition[][];
}

/**
 * Of an honest terminal claims and facts count, of a dishonest one neither. `owed` are items whose being out takes a
 * claim from an honest owner (its PRE: it may have to pay): all others only ever give the adversary and the owner more.
 */
export function reduced(automaton: Automaton, of: { honest: boolean; owed: bigint }): Automaton {
  const seen = of.honest ? automaton : trusting(automaton);
  return minimal(forgetKnown(seen), of.owed);
}

const NO_FACTS: Facts = { exits: 0, paid: 0n, received: 0n, cut: false };

function trusting({ start, facts, transitions }: Automaton): Automaton {
  return {
    start,
    facts: facts.map(({ cut }) => ({ ...NO_FACTS, cut })),
    transitions: transitions.map((all) => all.map((each) => ({ ...each, claim: null }))),
  };
}

/** Takes out of every transition what is known on each way to its state. */
function forgetKnown({ start, facts, transitions }: Automaton): Automaton {
  const known: (bigint | null)[] = facts.map(() => null);
  known[start] = 0n;
  const queue = [start];
  for (let from = queue.pop(); from !== undefined; from = queue.pop()) {
    for (const { next, needs, out } of transitions[from] ?? []) {
      const before = known[next] ?? null;
      const arriving = (known[from] ?? 0n) | needs | out;
      const after = before === null ? arriving : before & arriving;
      if (after === before) continue;
      known[next] = after;
      queue.push(next);
    }
  }
  const stripped = transitions.map((all, state) => {
    const certain = known[state] ?? 0n;
    return all
      .map((each) => ({ ...each, needs: each.needs & ~certain, out: each.out & ~certain }))
      .filter((each) => each.next !== state || each.out !== 0n);
  });
  return { start, facts, transitions: stripped };
}

/** Each state's moves without those that need more for the same; states stay what they are. */
export function pruned(automaton: Automaton, owed: bigint): Automaton {
  const classes = automaton.facts.map((_, state) => state);
  return { ...automaton, transitions: classes.map((state) => actionsOf(automaton, { state, classes, owed })) };
}

/** Partition refinement until no two states of a class differ in what they do. */
function minimal(automaton: Automaton, owed: bigint): Automaton {
  const actions = (state: number, classes: number[]): Transition[] => actionsOf(automaton, { state, classes, owed });
  let classes: number[] = automaton.facts.map(() => 0);
  let count = 0;
  for (;;) {
    const names = new Map<string, number>();
    const refined = automaton.facts.map((facts, state) => {
      const name = `${classes[state] ?? 0}|${describe(facts)}|${actions(state, classes).map(keyOf).sort().join(';')}`;
      const known = names.get(name) ?? names.size;
      names.set(name, known);
      return known;
    });
    classes = refined;
    if (names.size === count) break;
    count = names.size;
  }
  const chosen: number[] = [];
  for (const [state, number] of classes.entries()) chosen[number] ??= state;
  return {
    start: classes[automaton.start] ?? 0,
    facts: chosen.map((state) => automaton.facts[state] ?? NO_FACTS),
    transitions: chosen.map((state) => actions(state, classes)),
  };
}

const describe = ({ exits, paid, received, cut }: Facts): string => `${exits},${paid},${received},${cut}`;

const keyOf = ({ needs, claim, next, out }: Transition): string =>
  `${needs.toString(36)},${claim ? JSON.stringify(claim) : ''},${next},${out.toString(36)}`;

/** What a state does, up to `classes`: without ways that need more, or claim more, for the same. */
function actionsOf({ transitions }: Automaton, of: { state: number; classes: number[]; owed: bigint }): Transition[] {
  const { state, classes, owed } = of;
  const own = classes[state] ?? 0;
  const all = (transitions[state] ?? [])
    .map((each) => ({ ...each, next: classes[each.next] ?? 0 }))
    .filter((each) => each.next !== own || each.out !== 0n);
  const kept: Transition[] = [];
  for (const each of all.sort(plainFirst)) if (!kept.some((other) => isEasier(other, each, owed))) kept.push(each);
  return kept;
}

const plainFirst = (left: Transition, right: Transition): number =>
  sizeOf(left.needs) - sizeOf(right.needs) || left.name.length - right.name.length;

function isEasier(other: Transition, than: Transition, owed: bigint): boolean {
  const known = than.out | than.needs;
  return (
    other.next === than.next &&
    has(than.needs, other.needs) &&
    has(other.out | than.needs, than.out) &&
    has(known, other.out & owed) &&
    (other.claim === null || JSON.stringify(other.claim) === JSON.stringify(than.claim))
  );
}

function sizeOf(set: bigint): number {
  let members = 0;
  for (let item = 0; bit(item) <= set; item++) if (set & bit(item)) members++;
  return members;
}
