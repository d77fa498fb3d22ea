/** One exploration: every order of moves over one shape, for each set of honest hosts (each alone, then all). */

import type { Automaton } from './automaton.ts';
import { forked } from './forks.ts';
import { judgeFor } from './judge.ts';
import { Knowledge } from './knowledge.ts';
import { Search, type Violation } from './search.ts';
import type { Shape } from './shapes.ts';
import { type Unfolded, unfold } from './unfold.ts';
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
export async function* explore(
  shape: Shape,
  { maxStates, reduce = true }: { maxStates: number; reduce?: boolean },
): AsyncGenerator<SetResult> {
  let start = performance.now();
  const world = await buildWorld(shape);
  const knowledge = new Knowledge(world);
  const unfolded = unfold(world, knowledge);
  for await (const { honest, automata } of casesOf(shape, unfolded, knowledge)) {
    const search = new Search({ world, knowledge, automata, honest, reduce });
    const result = search.run(judgeFor(honest), maxStates);
    yield { honest: [...honest], ...result, seconds: (performance.now() - start) / 1000 };
    if (!result.complete) return;
    start = performance.now();
  }
}

interface Case {
  honest: ReadonlySet<number>;
  automata: Automaton[];
}

/** Each terminal honest alone, then all; where hosts run copies, each alone against every other that does. */
async function* casesOf(shape: Shape, unfolded: Unfolded[], knowledge: Knowledge): AsyncGenerator<Case> {
  const automata = unfolded.map(({ automaton }) => automaton);
  if (!shape.copies) {
    for (const self of automata.keys()) yield { honest: new Set([self]), automata };
    yield { honest: new Set(automata.keys()), automata };
    return;
  }
  for (const [self, terminal] of unfolded.entries()) {
    const withCopies = await forked({ self, unfolded: terminal, knowledge });
    for (const other of automata.keys()) {
      if (other !== self) yield { honest: new Set([other]), automata: automata.with(self, withCopies) };
    }
  }
}
