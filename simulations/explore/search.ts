/**
 * Breadth-first search over every order of moves, for one set of honest hosts. A state is the local state of each
 * terminal, what is known, and what the chain holds; what is known and the chain are interned, so a state is two numbers.
 *
 * What an enclave answers without changing is taken as known at once: the adversary may ask at any time.
 */

import { type Automaton, reduced, type Transition } from './automaton.ts';
import { Chain } from './chain.ts';
import { bit, has, type Item, type Knowledge } from './knowledge.ts';
import type { Claim } from './moves.ts';
import { PairSet } from './pair-set.ts';
import type { World } from './world.ts';

export interface Violation {
  why: string;
  /** The moves that lead there; none does it in fewer. */
  trace: string[];
}

export interface SearchResult {
  states: number;
  transitions: number;
  complete: boolean;
  violation: Violation | null;
}

export interface Searched {
  world: World;
  knowledge: Knowledge;
  automata: Automaton[];
  honest: ReadonlySet<number>;
  /** False: automata as they were unfolded, to see that making them smaller changes nothing. */
  reduce: boolean;
}

/** What a judge looks at. */
export interface Position {
  locals: readonly number[];
  known: bigint;
  chain: number;
}

/** Says what is wrong with a state, or null. */
export type Judge = (position: Position, search: Search) => string | null;

interface Move {
  next: number;
  known: number;
  claim: Claim | null;
  label: number;
}

/** Chain states are numbered below this. */
const CHAIN_STATES = 65_536;

export class Search {
  readonly world: World;
  readonly knowledge: Knowledge;
  readonly automata: Automaton[];
  readonly chain: Chain;
  readonly #honest: ReadonlySet<number>;
  readonly #seen = new PairSet();
  readonly #cameFrom: number[] = [-1];
  readonly #cameBy: number[] = [0];
  readonly #labels: string[] = ['start'];
  readonly #labelIds = new Map<string, number>();
  readonly #sets: bigint[] = [];
  readonly #setIds = new Map<bigint, number>();
  /** Per terminal, by local state and known set: possible moves, and what is known after asking for all that is free. */
  readonly #moves: Map<number, Move[]>[];
  readonly #asked: Map<number, number>[];
  readonly #mineable = new Map<number, { number: number; item: Item; label: number }[]>();
  readonly #useless = new Map<number, bigint>();
  #transitions = 0;

  constructor({ world, knowledge, automata, honest, reduce }: Searched) {
    this.world = world;
    this.knowledge = knowledge;
    this.automata = automata.map((automaton, self) =>
      reduce ? reduced(automaton, { honest: honest.has(self), owed: knowledge.owedBy(self) }) : automaton,
    );
    this.#honest = honest;
    this.chain = new Chain(world, honest);
    this.#moves = automata.map(() => new Map<number, Move[]>());
    this.#asked = automata.map(() => new Map<number, number>());
  }

  /** Explores until the judge finds something, everything was seen, or `maxStates` is reached. */
  run(judge: Judge, maxStates: number): SearchResult {
    const locals = this.automata.map(({ start }) => start);
    const initial = this.#set(this.knowledge.fromStrangers);
    this.#arrive(-1, 0, { locals, known: initial, chain: 0 });
    let wasCut = false;
    for (let from = 0; from < this.#seen.size; from++) {
      const position = this.#position(from);
      const why = judge({ ...position, known: this.#sets[position.known] ?? 0n }, this);
      const ended = { states: this.#seen.size, transitions: this.#transitions, complete: false };
      if (why) return { ...ended, violation: { why, trace: this.#traceTo(from) } };
      if (this.#seen.size > maxStates) return { ...ended, violation: null };
      if (position.locals.some((local, self) => this.automata[self]?.facts[local]?.cut)) wasCut = true;
      else this.#expand(from, position);
    }
    return { states: this.#seen.size, transitions: this.#transitions, complete: !wasCut, violation: null };
  }

  #set(set: bigint): number {
    const known = this.#setIds.get(set);
    if (known !== undefined) return known;
    this.#setIds.set(set, this.#sets.length);
    return this.#sets.push(set) - 1;
  }

  #label(name: string): number {
    const known = this.#labelIds.get(name);
    if (known !== undefined) return known;
    this.#labelIds.set(name, this.#labels.length);
    return this.#labels.push(name) - 1;
  }

  #position(number: number): { locals: number[]; known: number; chain: number } {
    let rest = this.#seen.first(number);
    const locals = this.automata.map(({ facts }) => {
      const local = rest % facts.length;
      rest = (rest - local) / facts.length;
      return local;
    });
    const second = this.#seen.second(number);
    return { locals, known: Math.floor(second / CHAIN_STATES), chain: second % CHAIN_STATES };
  }

  #arrive(from: number, label: number, to: { locals: readonly number[]; known: number; chain: number }): void {
    const known = this.#settle(to);
    let first = 0;
    for (let self = this.automata.length - 1; self >= 0; self--) {
      first = first * (this.automata[self]?.facts.length ?? 1) + (to.locals[self] ?? 0);
    }
    if (from >= 0) this.#transitions++;
    if (!this.#seen.add(first, known * CHAIN_STATES + to.chain)) return;
    this.#cameFrom[this.#seen.size - 1] = from;
    this.#cameBy[this.#seen.size - 1] = label;
  }

  /** What is known once everything free was asked for, without what can do nothing any more. */
  #settle({ locals, known, chain }: { locals: readonly number[]; known: number; chain: number }): number {
    let settled = known;
    for (let before = -1; before !== settled; ) {
      before = settled;
      for (let self = 0; self < locals.length; self++) settled = this.#ask(self, locals[self] ?? 0, settled);
    }
    let useless = this.#useless.get(chain);
    if (useless === undefined) {
      useless = this.chain.useless(chain, this.knowledge.items);
      this.#useless.set(chain, useless);
    }
    const set = this.#sets[settled] ?? 0n;
    return useless & set ? this.#set(set & ~useless) : settled;
  }

  #ask(self: number, local: number, known: number): number {
    const key = known * (this.automata[self]?.facts.length ?? 1) + local;
    const asked = this.#asked[self]?.get(key);
    if (asked !== undefined) return asked;
    let set = this.#sets[known] ?? 0n;
    for (const { next, needs, claim, out } of this.automata[self]?.transitions[local] ?? []) {
      if (next === local && claim === null && has(set, needs)) set |= out;
    }
    const after = this.#set(set);
    this.#asked[self]?.set(key, after);
    return after;
  }

  #movesAt(self: number, local: number, known: number): Move[] {
    const key = known * (this.automata[self]?.facts.length ?? 1) + local;
    const memory = this.#moves[self];
    const made = memory?.get(key);
    if (made) return made;
    const set = this.#sets[known] ?? 0n;
    const isPossible = ({ next, needs, claim, out }: Transition): boolean =>
      has(set, needs) && (next !== local || (claim !== null && !has(set, out)));
    const moves = (this.automata[self]?.transitions[local] ?? [])
      .filter(isPossible)
      .map(({ next, claim, out, name }) => ({ next, claim, known: this.#set(set | out), label: this.#label(name) }));
    memory?.set(key, moves);
    return moves;
  }

  #expand(from: number, { locals, known, chain }: { locals: number[]; known: number; chain: number }): void {
    for (let self = 0; self < locals.length; self++) {
      const local = locals[self] ?? 0;
      for (const { next, claim, known: after, label } of this.#movesAt(self, local, known)) {
        if (claim && this.#honest.has(self) && !this.chain.proves(chain, claim)) continue;
        locals[self] = next;
        this.#arrive(from, label, { locals, known: after, chain });
      }
      locals[self] = local;
    }
    for (const { number, item, label } of this.#mineableIn(known)) {
      const after = this.chain.mine(chain, number, item);
      if (after >= CHAIN_STATES) throw new Error('the chain has too many states to explore');
      if (after !== chain) this.#arrive(from, label, { locals, known, chain: after });
    }
  }

  #mineableIn(known: number) {
    const listed = this.#mineable.get(known);
    if (listed) return listed;
    const set = this.#sets[known] ?? 0n;
    const all = this.knowledge.items.flatMap((item, number) => {
      if ((item.kind !== 'exit' && item.kind !== 'record') || !has(set, bit(number))) return [];
      return [{ number, item, label: this.#label(describe(item, this.world)) }];
    });
    this.#mineable.set(known, all);
    return all;
  }

  #traceTo(at: number): string[] {
    const trace: string[] = [];
    for (let number = at; number > 0; number = this.#cameFrom[number] ?? 0) {
      trace.push(this.#labels[this.#cameBy[number] ?? 0] ?? '');
    }
    return trace.reverse();
  }
}

function describe(item: Extract<Item, { kind: 'exit' | 'record' }>, world: World): string {
  if (item.kind === 'record') return `contract: record of payment ${item.payment} as ${item.outcome}`;
  const { sentA, sentB, entries } = item.exit;
  const pending = entries.map(({ payment, writes }) => {
    const index = world.payments.findIndex(({ paymentId }) => paymentId === payment);
    return `, payment ${index} pending in ${writes === 'APPLIED' ? 'POST-UPDATE' : 'PRE-UPDATE'}`;
  });
  return `contract: exit of channel ${item.channel}, sent ${sentA} and ${sentB}${pending.join('')}`;
}
