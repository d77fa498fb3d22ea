/**
 * Breadth-first search over every order of moves, for one set of honest hosts. A state is the interned state of each
 * enclave, what was let out, and what the chain holds: a short string of 16-bit units, which is its own key.
 *
 * Channels between dishonest hosts alone pay nobody whom section 7 protects: that they were settled is not kept, so any
 * exit of theirs may be mined at any time. That allows more than a chain would, so nothing is missed.
 */

import type { Outcome } from '../../enclave/core/encoding.ts';
import type { PaymentId } from '../../enclave/core/ids.ts';
import { settleExit } from './chain.ts';
import { type Item, KNOWN_WORDS, Knowledge, OUTCOMES } from './knowledge.ts';
import type { LocalEnclave } from './local.ts';
import { type Move, movesOf } from './moves.ts';
import type { World } from './shapes.ts';

/** A state, read from its key. Settled: 0 open, else 1 + creditA. Outcomes: 0 none, 1 VOID, 2 APPLIED. */
export class Explored {
  readonly units: Uint16Array;
  readonly #world: World;

  constructor(world: World, key?: string) {
    this.#world = world;
    const { states, payments, channels } = world;
    this.units = new Uint16Array(states.length + payments.length + channels.length + KNOWN_WORDS);
    if (key !== undefined) for (let at = 0; at < this.units.length; at++) this.units[at] = key.charCodeAt(at);
  }

  get key(): string {
    return String.fromCharCode(...this.units);
  }
  get outcomesAt(): number {
    return this.#world.states.length;
  }
  get settledAt(): number {
    return this.outcomesAt + this.#world.payments.length;
  }
  get knownAt(): number {
    return this.settledAt + this.#world.channels.length;
  }

  local(self: number): number {
    return this.units[self] ?? 0;
  }
  outcome(payment: number): Outcome | null {
    return OUTCOMES[(this.units[this.outcomesAt + payment] ?? 0) - 1] ?? null;
  }
  settled(channel: number): number {
    return this.units[this.settledAt + channel] ?? 0;
  }
  knows(item: number): boolean {
    return (((this.units[this.knownAt + (item >> 4)] ?? 0) >> (item & 15)) & 1) === 1;
  }
  learn(item: number): void {
    const at = this.knownAt + (item >> 4);
    this.units[at] = (this.units[at] ?? 0) | (1 << (item & 15));
  }
}

export interface Violation {
  why: string;
  trace: string[];
}

export interface SearchResult {
  states: number;
  transitions: number;
  complete: boolean;
  violation: Violation | null;
}

/** Says what is wrong with a state, or null. */
export type Judge = (state: Explored, search: Search) => string | null;

interface Option {
  claims: Move['claims'];
  next: number;
  out: number[];
  name: string;
}

type Found = (name: string) => void;

export class Search {
  readonly world: World;
  readonly knowledge: Knowledge;
  readonly enclaves: LocalEnclave[];
  readonly #moves: Move[][];
  /** Per enclave and local state: what each move does there, once it was possible; null where it does nothing. */
  readonly #options: Map<number, (Option | null)[]>[];
  readonly #next: Explored;
  #honest: ReadonlySet<number> = new Set();

  constructor(world: World, enclaves: LocalEnclave[]) {
    this.world = world;
    this.enclaves = enclaves;
    this.knowledge = new Knowledge(world);
    this.#moves = world.states.map((_, self) => movesOf(world, self, this.knowledge));
    this.#options = world.states.map(() => new Map<number, (Option | null)[]>());
    this.#next = new Explored(world);
  }

  /** Explores until a judge finds something, everything was seen, or `maxStates` is reached. */
  run(honest: ReadonlySet<number>, judge: Judge, maxStates: number): SearchResult {
    this.#honest = honest;
    const start = new Explored(this.world).key;
    const seen = new Set([start]);
    const queue = [start];
    const cameFrom: number[] = [-1];
    const cameBy: string[] = ['start'];
    let transitions = 0;
    let from = 0;
    const found: Found = (name) => {
      transitions++;
      const { key } = this.#next;
      const size = seen.size;
      if (seen.add(key).size === size) return;
      queue.push(key);
      cameFrom.push(from);
      cameBy.push(name);
    };
    for (; from < queue.length; from++) {
      const state = new Explored(this.world, queue[from]);
      const why = judge(state, this);
      const ended = { states: queue.length, transitions, complete: false };
      if (why) return { ...ended, violation: { why, trace: traceTo(from, cameFrom, cameBy) } };
      if (queue.length > maxStates) return { ...ended, violation: null };
      this.#expand(state, found);
    }
    return { states: queue.length, transitions, complete: true, violation: null };
  }

  #expand(state: Explored, found: Found): void {
    for (const [self, moves] of this.#moves.entries()) {
      const local = state.local(self);
      const options = this.#optionsAt(self, local);
      for (let index = 0; index < moves.length; index++) {
        if (options[index] === null) continue;
        const move = moves[index];
        if (!move || !isPossible(state, move)) continue;
        const option = (options[index] ??= this.#evaluate(self, local, move));
        if (option) this.#take(state, self, option, found);
      }
      this.#deliverMessages(state, self, found);
    }
    this.#expandChain(state, found);
  }

  #optionsAt(self: number, local: number): (Option | null)[] {
    const known = this.#options[self]?.get(local);
    if (known) return known;
    const empty: (Option | null)[] = [];
    this.#options[self]?.set(local, empty);
    return empty;
  }

  /** Null where the move neither changes the enclave nor lets anything out, which never depends on what is known. */
  #evaluate(self: number, local: number, move: Move): Option | null {
    const enclave = this.enclaves[self];
    if (!enclave) return null;
    const step = enclave.step(local, move.name, { now: move.now, command: move.command() });
    const out = this.knowledge.learn(self, step.result);
    if (step.next === local && out.length === 0) return null;
    return { claims: move.claims, next: step.next, out, name: `${self}: ${move.name}` };
  }

  #take(state: Explored, self: number, option: Option, found: Found): void {
    if (option.next === state.local(self) && option.out.every((item) => state.knows(item))) return;
    if (option.claims && this.#honest.has(self) && !isTrue(option.claims, state)) return;
    this.#next.units.set(state.units);
    this.#next.units[self] = option.next;
    for (const item of option.out) this.#next.learn(item);
    found(option.name);
  }

  #deliverMessages(state: Explored, self: number, found: Found): void {
    for (const number of this.knowledge.messagesTo(self)) {
      if (!state.knows(number)) continue;
      const item = this.knowledge.items[number];
      if (item?.kind !== 'message') continue;
      const { message } = item;
      const command = { kind: 'deliver' as const, message };
      const move: Move = {
        name: `deliver ${number}`,
        needs: [],
        claims: null,
        now: 1_800_000_000,
        command: () => command,
      };
      const option = this.#evaluate(self, state.local(self), move);
      if (option) this.#take(state, self, option, found);
    }
  }

  #expandChain(state: Explored, found: Found): void {
    for (const number of this.knowledge.forChain) {
      const item = this.knowledge.items[number];
      if (!item || !state.knows(number)) continue;
      if (item.kind === 'record' && state.outcome(item.payment) === null) {
        this.#next.units.set(state.units);
        this.#next.units[state.outcomesAt + item.payment] = 1 + OUTCOMES.indexOf(item.outcome);
        found(`chain: record of ${item.payment} as ${item.outcome}`);
      }
      if (item.kind === 'exit' && state.settled(item.channel) === 0) this.#mine(state, item, found);
    }
  }

  #mine(state: Explored, item: Extract<Item, { kind: 'exit' }>, found: Found): void {
    const { payments, deposit, channels } = this.world;
    const before = new Map<PaymentId, Outcome>();
    for (const [payment, { paymentId }] of payments.entries()) {
      const outcome = state.outcome(payment);
      if (outcome) before.set(paymentId, outcome);
    }
    const { creditA, outcomes } = settleExit(item.exit, { a: deposit, b: deposit }, before);
    this.#next.units.set(state.units);
    for (const [payment, { paymentId }] of payments.entries()) {
      const outcome = outcomes.get(paymentId);
      if (outcome) this.#next.units[state.outcomesAt + payment] = 1 + OUTCOMES.indexOf(outcome);
    }
    const ends = channels[item.channel]?.ends;
    const isWatched = ends !== undefined && (this.#honest.has(ends.a) || this.#honest.has(ends.b));
    if (isWatched) this.#next.units[state.settledAt + item.channel] = 1 + Number(creditA);
    found(`chain: exit of ${item.channel} by ${item.signer} pays A ${creditA}`);
  }
}

function isPossible(state: Explored, move: Move): boolean {
  for (const item of move.needs) if (!state.knows(item)) return false;
  return true;
}

/** What an honest host may claim: what the contract holds. */
function isTrue(claims: NonNullable<Move['claims']>, state: Explored): boolean {
  if ('outcome' in claims) return state.outcome(claims.payment) === claims.outcome;
  if (state.settled(claims.settled) === 0) return false;
  return claims.outcomes.every(
    (outcome, payment) => outcome === null || outcome === (state.outcome(payment) ?? outcome),
  );
}

function traceTo(at: number, cameFrom: number[], cameBy: string[]): string[] {
  const trace: string[] = [];
  for (let index = at; index > 0; index = cameFrom[index] ?? 0) trace.push(cameBy[index] ?? '');
  return trace.reverse();
}
