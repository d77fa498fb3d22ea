/** One exploration: every order of moves over one shape, for each set of honest hosts (each alone, then all). */

import { judgeFor } from './judge.ts';
import { LocalEnclave } from './local.ts';
import { Search, type Violation } from './search.ts';
import { buildWorld, type ShapeName } from './shapes.ts';

export interface SetResult {
  honest: number[];
  states: number;
  transitions: number;
  complete: boolean;
  violation: Violation | null;
  seconds: number;
}

export interface ExploreOptions {
  shape: ShapeName;
  participants: number;
  maxStates: number;
}

/** Yields a result per set of honest hosts; ends after the first that was violated or cut short. */
export async function* explore(options: ExploreOptions): AsyncGenerator<SetResult> {
  const world = await buildWorld(options.shape, options.participants);
  const quotes = await Promise.all(world.network.terminals.map(async (each) => (await each.credential()).quote));
  const enclaves = world.states.map((state, index) => {
    const quote = quotes[index];
    if (!quote) throw new Error('a terminal without a quote');
    return new LocalEnclave(state, quote);
  });
  const search = new Search(world, enclaves);
  const everyone = world.states.map((_, index) => index);
  for (const honest of [...everyone.map((index) => [index]), everyone]) {
    const start = performance.now();
    const set = new Set(honest);
    const result = search.run(set, judgeFor(set), options.maxStates);
    yield { honest, ...result, seconds: (performance.now() - start) / 1000 };
    if (!result.complete) return;
  }
}
