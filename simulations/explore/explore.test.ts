import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { load } from './bundle.js';
import type { explore, SetResult } from './exploration.ts';
import { Knowledge } from './knowledge.ts';
import { main } from './main.ts';
import { type Edit, RULES, SHORT_MEMORY } from './rules.ts';
import { type ShapeName, shapeOf } from './shapes.ts';
import { unfold } from './unfold.ts';
import { buildWorld } from './world.ts';

interface Counts {
  shapes: Record<string, { states: number; transitions: number }>;
}
const counts = JSON.parse(readFileSync(join(import.meta.dirname, 'counts.json'), 'utf8')) as Counts;
const loaded = async (edits: readonly Edit[]) => (await load('exploration.ts', edits)) as { explore: typeof explore };

async function exploreAll(
  shape: readonly [ShapeName, number],
  { edits = [], reduce = true }: { edits?: readonly Edit[]; reduce?: boolean } = {},
): Promise<SetResult[]> {
  const plan = shapeOf(...shape);
  const exploration = await loaded([...edits, ...(plan.forgetful ? SHORT_MEMORY : [])]);
  const results: SetResult[] = [];
  for await (const result of exploration.explore(plan, { maxStates: 10_000_000, reduce })) results.push(result);
  return results;
}

/** Those that take a minute together; `npm run explore -- every` explores the others too. */
const IN_TESTS = [
  ['line', 2],
  ['line', 3],
  ['crossing', 2],
  ['direct', 2],
  ['copies', 2],
  ['forgotten', 3],
  ['last', 3],
  ['stranger', 3],
] as const;

describe('in every order of moves, section 7 holds', () => {
  for (const shape of IN_TESTS) {
    it(`of the shape ${shape.join(' ')}, in no fewer states than were recorded`, async () => {
      const results = await exploreAll(shape);
      for (const { violation, complete } of results)
        expect({ violation, complete }).toEqual({ violation: null, complete: true });
      const states = results.reduce((sum, each) => sum + each.states, 0);
      expect(states).toBeGreaterThanOrEqual(counts.shapes[shape.join(' ')]?.states ?? Number.POSITIVE_INFINITY);
    });
  }
});

describe('what is explored', () => {
  it('is not changed by making automata smaller: every rule broken on a line of 2 ends as it does without', async () => {
    const onLine = RULES.filter(({ shapes }) => shapes.some(([name, size]) => name === 'line' && size === 2));
    for (const { name, edits } of [{ name: 'none', edits: [] }, ...onLine]) {
      const [small, plain] = [
        await exploreAll(['line', 2], { edits }),
        await exploreAll(['line', 2], { edits, reduce: false }),
      ];
      const verdict = ({ honest, violation }: SetResult) => ({ name, honest, violated: violation !== null });
      expect(small.map(verdict)).toEqual(plain.map(verdict));
    }
  });

  it('comes to HELD, NEED_PRE and payments that the chain ended', async () => {
    const met = async (shape: readonly [ShapeName, number]): Promise<Set<string>> => {
      const world = await buildWorld(shapeOf(...shape));
      return new Set(unfold(world, new Knowledge(world)).flatMap(({ met }) => [...met]));
    };
    expect([...(await met(['crossing', 2]))]).toEqual(
      expect.arrayContaining(['held', 'rejected', 'FROZEN', 'RESOLVED_ON_CHAIN']),
    );
    expect([...(await met(['last', 2]))]).toEqual(expect.arrayContaining(['needPre', 'prepared', 'WRONG_EVIDENCE']));
  });
});

describe('npm run explore', () => {
  const run = async (...argv: string[]): Promise<{ status: number; printed: string }> => {
    const printed: string[] = [];
    const { log, error } = console;
    console.log = console.error = (line: string) => void printed.push(line);
    try {
      return { status: await main(argv, loaded), printed: printed.join('\n') };
    } finally {
      Object.assign(console, { log, error });
    }
  };

  it('prints one line of JSON and ends with 0 where everything held', async () => {
    const { status, printed } = await run('--participants', '2', '--json');
    expect(status).toBe(0);
    const { states, transitions, ...rest } = JSON.parse(printed) as Record<string, unknown>;
    expect({ states: typeof states, transitions: typeof transitions }).toEqual({
      states: 'number',
      transitions: 'number',
    });
    expect(rest).toEqual({ shape: 'line', participants: 2, violations: 0, complete: true, rule: null });
  });

  it('tells a violation as a trace, and ends with 1', async () => {
    const { status, printed } = await run('--break', 'abort-on-hub-word');
    expect(status).toBe(1);
    expect(printed).toContain('  1. 0: PREPARE, payment 0');
  });

  it('ends with 2 where a limit cut the search short, and where the command cannot be read', async () => {
    expect(await run('--participants', '2', '--max-states', '50', '--json')).toMatchObject({ status: 2 });
    for (const wrong of [
      ['--shape', 'ring'],
      ['--break', 'nothing'],
      ['--participants', '9'],
      ['--participants', 'x'],
      ['--what'],
    ]) {
      const { status, printed } = await run(...wrong);
      expect(status).toBe(2);
      expect(printed).toContain('Usage: npm run explore');
    }
  });
});
