/**
 * `npm run explore -- --participants 3 [--shape NAME] [--json] [--max-states N]`
 * Exit status: 0 everything held, 1 a violation, 2 a limit cut the search short or the command cannot be read.
 */

import { parseArgs } from 'node:util';
import type { explore, SetResult } from './exploration.ts';
import type { Edit } from './rules.ts';
import { SHAPE_NAMES } from './shapes.ts';

type Explore = typeof explore;

export async function main(
  argv: string[],
  load: (edits: readonly Edit[]) => Promise<{ explore: Explore }>,
): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      participants: { type: 'string', default: '3' },
      shape: { type: 'string', default: 'line' },
      json: { type: 'boolean', default: false },
      'max-states': { type: 'string', default: '20000000' },
    },
  });
  const shape = SHAPE_NAMES.find((name) => name === values.shape);
  if (!shape) {
    console.error(`There is no shape ${values.shape}; there are ${SHAPE_NAMES.join(', ')}.`);
    return 2;
  }
  const participants = Number(values.participants);
  const exploration = await load([]);
  const results: SetResult[] = [];
  for await (const result of exploration.explore({ shape, participants, maxStates: Number(values['max-states']) })) {
    results.push(result);
    const { honest, states, transitions, seconds, violation } = result;
    if (!values.json)
      console.log(`honest ${honest.join()}: ${states} states, ${transitions} transitions, ${seconds} s`);
    if (violation && !values.json) console.log([violation.why, ...violation.trace].join('\n  '));
  }
  const violations = results.filter(({ violation }) => violation !== null).length;
  const complete = results.every((each) => each.complete || each.violation);
  const sum = (of: (each: SetResult) => number): number => results.reduce((total, each) => total + of(each), 0);
  const [states, transitions] = [sum((each) => each.states), sum((each) => each.transitions)];
  if (values.json) {
    console.log(JSON.stringify({ shape, participants, states, transitions, violations, complete, rule: null }));
  }
  return violations > 0 ? 1 : complete ? 0 : 2;
}
