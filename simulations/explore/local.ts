/**
 * One enclave in an exploration: the real machine, with its states interned and its transitions remembered.
 *
 * The adversary owns the disk and the clock: it may stop an instance and start it again from the sealed log at any time.
 * So a frame that changed nothing leaves no trace (also not of the clock), and a command can be given at any time of day.
 */

import { toHex } from '../../enclave/core/codec.ts';
import type { Quote } from '../../enclave/core/credential.ts';
import { keccak256 } from '../../enclave/core/hash.ts';
import type { Command, Result } from '../../enclave/core/interface.ts';
import { runFrame } from '../../enclave/core/machine.ts';
import { decodeState, encodeState, type State } from '../../enclave/core/state.ts';

export interface Step {
  next: number;
  result: Result;
}

export class LocalEnclave {
  readonly #bytes: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  readonly #steps = new Map<string, Step>();
  readonly #quote: Quote;

  constructor(initial: State, quote: Quote) {
    this.#quote = quote;
    this.#intern(initial);
  }

  get stateCount(): number {
    return this.#bytes.length;
  }

  get stepCount(): number {
    return this.#steps.size;
  }

  #intern(state: State): number {
    const bytes = encodeState(state);
    const key = toHex(keccak256(bytes));
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#bytes.length;
    this.#ids.set(key, id);
    this.#bytes.push(bytes);
    return id;
  }

  /** A copy of a state, to look into or to change. */
  open(id: number): State {
    const bytes = this.#bytes[id];
    if (!bytes) throw new RangeError(`no state ${id}`);
    return decodeState(bytes);
  }

  /** What the command does in a state; `name` stands for command and time. */
  step(id: number, name: string, ask: { now: number; command: Command }): Step {
    const key = `${id} ${name}`;
    const known = this.#steps.get(key);
    if (known) return known;
    const state = this.open(id);
    const { results, changes } = runFrame(
      state,
      { now: ask.now, commands: [ask.command] },
      { quote: this.#quote, random: noRandomness },
    );
    const [result] = results;
    if (!result) throw new Error('a command without a result');
    const step = { next: changes.length === 0 ? id : this.#intern(state), result };
    this.#steps.set(key, step);
    return step;
  }
}

function noRandomness(): never {
  throw new Error('no explored command may draw randomness');
}
