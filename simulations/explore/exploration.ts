/** One exploration: every order of moves over one shape, for each set of honest hosts (each alone, then all). */

import { judgeFor } from './judge.ts';
import { Knowledge } from './knowledge.ts';
import { Search, type Violation } from './search.ts';
import type { Shape } from './shapes.ts';
import { unfold } from './unfold.ts';
import { buildWorld } from './world.ts';

export interface SetResult {
  honest: number[];
  states: number;
  transitions: number;
  complete: boolean;
  violation: Violation | null;
  seconds: number;
}

/** Yields a result per set of honest hosts; ends after the first that was violated or cut short. */
export async function* explore(shape: Shape, maxStates: number): AsyncGenerator<SetResult> {
  let start = performance.now();
  const world = await buildWorld(shape);
  const knowledge = new Knowledge(world);
  const automata = unfold(world, knowledge).map(({ automaton }) => automaton);
  const everyone = automata.map((_, index) => index);
  for (const members of [...everyone.map((index) => [index]), everyone]) {
    const honest = new Set(members);
    const search = new Search({ world, knowledge, automata, honest });
    const result = search.run(judgeFor(honest), maxStates);
    yield { honest: members, ...result, seconds: (performance.now() - start) / 1000 };
    if (!result.complete) return;
    start = performance.now();
  }
}
