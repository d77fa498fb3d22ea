/**
 * One enclave in an exploration: the real machine (runFrame), with its states interned.
 *
 * The adversary owns the disk and the clock: it may stop an instance and start it again from the sealed log at any time.
 * So a frame that changed nothing leaves no trace (also not of the clock), and a command can be given at any time of day.
 */

import type { Quote } from '../../enclave/core/credential.ts';
import type { Command, Result } from '../../enclave/core/interface.ts';
import { runFrame } from '../../enclave/core/machine.ts';
import { encodeState, type State } from '../../enclave/core/state.ts';

/** A command, and the host's clock when it is given. */
export interface Asked {
  now: number;
  command: Command;
}

export interface Step {
  next: number;
  result: Result;
}

export class LocalEnclave {
  readonly #states: State[] = [];
  readonly #ids = new Map<string, number>();
  readonly #quote: Quote;
  /** A copy of one state, to run commands on until one changes it: most change nothing. */
  #draft: { of: number; state: State } | null = null;

  constructor(initial: State, quote: Quote) {
    this.#quote = quote;
    this.#intern(copyOf(initial));
  }

  get stateCount(): number {
    return this.#states.length;
  }

  /** By its sealed encoding: states that seal alike are one. */
  #intern(state: State): number {
    const key = Buffer.from(encodeState(state)).toString('latin1');
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.#states.length);
    return this.#states.push(state) - 1;
  }

  /** A state, to look into. */
  at(id: number): State {
    const state = this.#states[id];
    if (!state) throw new RangeError(`no state ${id}`);
    return state;
  }

  /** What the command does in a state. */
  step(id: number, asked: Asked): Step {
    const draft = this.#draft?.of === id ? this.#draft.state : copyOf(this.at(id));
    const { results, changes } = runFrame(
      draft,
      { now: asked.now, commands: [asked.command] },
      { quote: this.#quote, random: noRandomness },
    );
    const [result] = results;
    if (!result) throw new Error('a command without a result');
    if (changes.length > 0) {
      this.#draft = null;
      return { next: this.#intern(draft), result };
    }
    draft.clock = this.at(id).clock;
    this.#draft = { of: id, state: draft };
    return { next: id, result };
  }
}

/** All that a command may change is copied; keys are derived once, and what peers showed is never written to. */
function copyOf(state: State): State {
  const { foundation, deployment, keyRing, policy, attestation, peers, ...mutable } = state;
  return { foundation, deployment, keyRing, policy, attestation, peers: new Map(peers), ...structuredClone(mutable) };
}

function noRandomness(): never {
  throw new Error('no explored command may draw randomness');
}
