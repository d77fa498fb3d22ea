/** What deciding a command gives: a result for the asker, and the changes that must be sealed before it may leave. */

import type { Change } from './changes.ts';
import type { Command, Result } from './interface.ts';
import type { State } from './state.ts';

export interface Decision {
  /** Asked for after the changes were applied: what it tells is the state after the step. */
  result: () => Result;
  changes: Change[];
}

/** What a decision may use beside the state. */
export interface Sources {
  /** Cryptographically strong bytes; what is drawn goes into a change, so that replay needs none. */
  random(length: number): Uint8Array;
}

/** Decides one kind of command. Reads the state, changes nothing. */
export type Decider<K extends Command['kind']> = (
  state: State,
  command: Extract<Command, { kind: K }>,
  sources: Sources,
) => Decision;

export const decided = (result: Result, ...changes: Change[]): Decision => ({ result: () => result, changes });

/** As `decided`, for a result that tells of the state after the changes. */
export const decidedAfter = (result: () => Result, ...changes: Change[]): Decision => ({ result, changes });

/** A refusal: nothing changes. `message` says what, why and what to do next. */
export const refused = (code: string, message: string): Decision => decided({ kind: 'refused', code, message });
