/**
 * What the chain holds in an exploration, interned: the outcome of each payment, and how each channel settled.
 *
 * Channels between dishonest hosts alone pay nobody whom section 7 protects: that they were settled is not kept, so any
 * exit of theirs may be mined at any time. That allows more than a chain would, so nothing is missed.
 */

import type { Outcome } from '../../enclave/core/encoding.ts';
import { eject, written } from '../contract-model.ts';
import { bit, type Item } from './knowledge.ts';
import type { Claim } from './moves.ts';
import { DEPOSIT } from './shapes.ts';
import type { World } from './world.ts';

export interface ChainState {
  outcomes: (Outcome | null)[];
  /** Null: open. */
  settled: ({ creditA: bigint; overdrawn: boolean } | null)[];
}

export class Chain {
  readonly states: ChainState[] = [];
  readonly #world: World;
  readonly #watched: boolean[];
  readonly #ids = new Map<string, number>();
  readonly #mined = new Map<number, number>();

  constructor(world: World, honest: ReadonlySet<number>) {
    this.#world = world;
    this.#watched = world.channels.map(({ ends }) => honest.has(ends.a) || honest.has(ends.b));
    this.#intern({ outcomes: world.payments.map(() => null), settled: world.channels.map(() => null) });
  }

  #intern(state: ChainState): number {
    const settled = state.settled.map((each) => (each ? `${each.creditA}${each.overdrawn ? '!' : ''}` : ''));
    const key = `${state.outcomes.join()}|${settled.join()}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.states.length);
    return this.states.push(state) - 1;
  }

  at(id: number): ChainState {
    const state = this.states[id];
    if (!state) throw new RangeError(`no chain state ${id}`);
    return state;
  }

  /** The state after an exit or record was mined; the same where it reverts or does nothing. */
  mine(id: number, number: number, item: Item): number {
    const key = id * 65_536 + number;
    const known = this.#mined.get(key);
    if (known !== undefined) return known;
    const after = this.#intern(this.#after(this.at(id), item));
    this.#mined.set(key, after);
    return after;
  }

  #after(state: ChainState, item: Item): ChainState {
    if (item.kind === 'record') {
      const outcomes = [...state.outcomes];
      outcomes[item.payment] = written(state.outcomes[item.payment] ?? null, item.outcome);
      return { ...state, outcomes };
    }
    if (item.kind !== 'exit' || state.settled[item.channel]) return state;
    const { payments } = this.#world;
    const recorded = (id: string): Outcome | null =>
      state.outcomes[payments.findIndex(({ paymentId }) => paymentId === id)] ?? null;
    const { creditA, overdrawn, outcomes } = eject(item.exit, { a: DEPOSIT, b: DEPOSIT }, recorded);
    const settled = [...state.settled];
    if (this.#watched[item.channel]) settled[item.channel] = { creditA, overdrawn };
    return {
      outcomes: payments.map(({ paymentId }, index) => outcomes.get(paymentId) ?? state.outcomes[index] ?? null),
      settled,
    };
  }

  /** What an honest host may claim: what the contract holds. */
  proves(id: number, claim: Claim): boolean {
    const { outcomes, settled } = this.at(id);
    if (claim.kind === 'outcome') return outcomes[claim.payment] === claim.outcome;
    if (!settled[claim.channel]) return false;
    return claim.outcomes.every((each, payment) => each === null || each === outcomes[payment]);
  }

  /** Items that can do nothing any more: exits of settled channels, records of payments with an outcome. */
  useless(id: number, items: readonly Item[]): bigint {
    const { outcomes, settled } = this.at(id);
    return items.reduce((set, item, number) => {
      const isUseless =
        (item.kind === 'exit' && settled[item.channel]) || (item.kind === 'record' && outcomes[item.payment]);
      return isUseless ? set | bit(number) : set;
    }, 0n);
  }
}
