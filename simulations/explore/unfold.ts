/**
 * Unfolds the enclaves of a world into automata: every move in every local state, with every item that some enclave lets
 * out somewhere. Together they do nothing that the real machine does not do, because they are made of its answers.
 */

import type { State } from '../../enclave/core/state.ts';
import type { Automaton, Facts, Transition } from './automaton.ts';
import { has, type Knowledge } from './knowledge.ts';
import { LocalEnclave } from './local.ts';
import { delivery, type Move, movesOf } from './moves.ts';
import type { World } from './world.ts';

/** Local states of one terminal beyond which an exploration gives up. */
const MAX_LOCAL_STATES = 100_000;

export interface Unfolded {
  automaton: Automaton;
  enclave: LocalEnclave;
  moves: Move[];
  /** Kinds of answers and codes of failures that were met. */
  met: ReadonlySet<string>;
}

class Unfolding {
  readonly enclave: LocalEnclave;
  readonly moves: Move[];
  readonly transitions: Transition[][] = [];
  readonly facts: Facts[] = [];
  readonly met = new Set<string>();
  readonly #world: World;
  readonly #self: number;
  readonly #knowledge: Knowledge;
  /** By state: moves not tried yet. */
  readonly #untried: number[][] = [];
  readonly #planned: Map<string, { fromA: bigint; fromB: bigint }>;
  #delivered = 0;

  constructor(world: World, self: number, knowledge: Knowledge) {
    const [state, quote] = [world.states[self], world.quotes[self]];
    if (!state || !quote) throw new RangeError(`no terminal ${self}`);
    this.#world = world;
    this.#planned = plannedOn(world);
    this.#self = self;
    this.#knowledge = knowledge;
    this.enclave = new LocalEnclave(state, quote);
    this.moves = movesOf(world, self, knowledge);
  }

  /** Tries what has become possible; false where that was nothing. */
  grow(): boolean {
    this.#addDeliveries();
    let grew = false;
    for (let state = 0; state < this.enclave.stateCount; state++) {
      const untried = (this.#untried[state] ??= this.moves.map((_, index) => index));
      if (untried.length === 0) continue;
      this.#untried[state] = [];
      for (const index of untried) {
        if (this.#try(state, index)) grew = true;
        else this.#untried[state]?.push(index);
      }
      if (this.enclave.stateCount > MAX_LOCAL_STATES) throw new Error('a terminal has too many states to explore');
    }
    return grew;
  }

  #addDeliveries(): void {
    const { items } = this.#knowledge;
    for (; this.#delivered < items.length; this.#delivered++) {
      const item = items[this.#delivered];
      if (item?.kind !== 'message' || item.to !== this.#self) continue;
      const index = this.moves.push(delivery(this.#delivered, item.message)) - 1;
      for (const untried of this.#untried) untried.push(index);
    }
  }

  #try(state: number, index: number): boolean {
    const move = this.moves[index];
    if (!move || !has(this.#knowledge.emitted, move.needs)) return false;
    const facts = (this.facts[state] ??= this.#factsOf(this.enclave.at(state)));
    const all = (this.transitions[state] ??= []);
    if (facts.cut || !move.isWished(this.enclave.at(state))) return true;
    const { next, result } = this.enclave.step(state, move.ask());
    if (move.exits !== null && result.kind === 'exit') facts.exits |= 1 << move.exits;
    if (result.kind === 'step') this.met.add(result.answer.kind === 'failed' ? result.answer.code : result.answer.kind);
    const out = this.#knowledge.learn(this.#self, result);
    if (next === state && out === 0n) return true;
    const { name, needs, claim } = move;
    all.push({ name: `${this.#self}: ${name}`, needs, claim, next, out, by: index });
    return true;
  }

  #factsOf(state: State): Facts {
    const facts = { exits: 0, paid: 0n, received: 0n, cut: false };
    for (const { channelId, side, own, theirs } of state.channels.values()) {
      const planned = this.#planned.get(channelId);
      const [fromA, fromB] = side === 'A' ? [own, theirs] : [theirs, own];
      if (!planned) continue;
      if (fromA.round > planned.fromA || fromB.round > planned.fromB) facts.cut = true;
      if (this.#world.shape.directs.length === 0) continue;
      facts.paid += own.direct;
      facts.received += theirs.direct;
    }
    return facts;
  }
}

/** What all payments together move over each channel, each counted once. */
function plannedOn(world: World): Map<string, { fromA: bigint; fromB: bigint }> {
  return new Map(
    world.channels.map(({ channelId, channel }) => {
      const over = world.payments.flatMap(({ terms }) =>
        terms.transfers.filter((each) => each.channelId === channelId),
      );
      const by = (party: string): bigint =>
        over.reduce((sum, { payer, amount }) => (payer === party ? sum + amount : sum), 0n);
      return [channelId, { fromA: by(channel.partyA), fromB: by(channel.partyB) }];
    }),
  );
}

export function unfold(world: World, knowledge: Knowledge): Unfolded[] {
  const all = world.states.map((_, self) => new Unfolding(world, self, knowledge));
  while (all.map((each) => each.grow()).includes(true));
  return all.map(({ enclave, moves, transitions, facts, met }) => ({
    automaton: { start: 0, facts, transitions },
    enclave,
    moves,
    met,
  }));
}
