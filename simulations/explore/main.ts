/**
 * `npm run explore -- [--participants N] [--shape NAME] [--break RULE] [--json] [--max-states N]`
 *
 * Exit status: 0 everything held, 1 a violation (with a broken rule: what was to be caught), 2 a limit cut the search
 * short or the command cannot be read.
 */

import { parseArgs } from 'node:util';
import type { explore, SetResult } from './exploration.ts';
import { caption, row, told } from './report.ts';
import { type Edit, RULES, type Rule, SHORT_MEMORY } from './rules.ts';
import { SHAPE_NAMES, type Shape, type ShapeName, SIZES, shapeOf } from './shapes.ts';

/** Loads the exploration with its sources edited. */
export type Load = (edits: readonly Edit[]) => Promise<{ explore: typeof explore }>;

class UsageError extends Error {}

interface Asked {
  rule: Rule | null;
  shapes: Shape[];
  json: boolean;
  maxStates: number;
}

const USAGE = `Usage: npm run explore -- [--participants N] [--shape NAME] [--break RULE] [--json] [--max-states N]
Shapes: ${SHAPE_NAMES.map((name) => `${name} (${[...SIZES[name]].sort().join(', ')})`).join(', ')}
Rules to break: npm run explore -- --break list`;

function parse(argv: string[]): Asked | 'list' {
  const { values } = parseArgs({
    args: argv,
    options: {
      participants: { type: 'string' },
      shape: { type: 'string' },
      break: { type: 'string' },
      json: { type: 'boolean', default: false },
      'max-states': { type: 'string', default: '30000000' },
    },
  });
  if (values.break === 'list') return 'list';
  const rule = RULES.find(({ name }) => name === values.break) ?? null;
  if (values.break !== undefined && !rule) throw new UsageError(`There is no rule ${values.break}.`);
  const shape = SHAPE_NAMES.find((name) => name === values.shape);
  if (values.shape !== undefined && !shape) throw new UsageError(`There is no shape ${values.shape}.`);
  const participants = values.participants === undefined ? null : positive('--participants', values.participants);
  const maxStates = positive('--max-states', values['max-states']);
  return { rule, shapes: shapesFor({ rule, shape, participants }), json: values.json, maxStates };
}

function positive(option: string, text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new UsageError(`${option} takes a number from 1, not ${text}.`);
  return Number(text);
}

/** One shape, or for a broken rule all that exercise it: first those of the size that was asked for. */
function shapesFor(asked: { rule: Rule | null; shape: ShapeName | undefined; participants: number | null }): Shape[] {
  const { rule, shape, participants } = asked;
  if (rule && !shape) {
    const sized = rule.shapes.filter(([, size]) => participants === null || size === participants);
    const others = rule.shapes.filter((each) => !sized.includes(each));
    return [...sized, ...others].map(([name, size]) => shapeOf(name, size));
  }
  const name = shape ?? 'line';
  return [shapeOf(name, participants ?? SIZES[name][0] ?? 2)];
}

interface Explored {
  shape: Shape;
  results: SetResult[];
}

async function exploreShape(shape: Shape, asked: Asked, load: Load): Promise<Explored> {
  const edits = [...(asked.rule?.edits ?? []), ...(shape.forgetful ? SHORT_MEMORY : [])];
  const exploration = await load(edits);
  const results: SetResult[] = [];
  if (!asked.json) console.log(caption(shape, asked.rule));
  for await (const result of exploration.explore(shape, asked)) {
    results.push(result);
    if (!asked.json) console.log(row(result));
  }
  return { shape, results };
}

function summary({ shape, results }: Explored, rule: Rule | null) {
  const sum = (of: (each: SetResult) => number): number => results.reduce((total, each) => total + of(each), 0);
  return {
    shape: shape.name,
    participants: shape.terminals,
    states: sum((each) => each.states),
    transitions: sum((each) => each.transitions),
    violations: sum((each) => (each.violation ? 1 : 0)),
    complete: results.every((each) => each.complete || each.violation !== null),
    rule: rule?.name ?? null,
  };
}

async function run(asked: Asked, load: Load): Promise<number> {
  for (const [index, shape] of asked.shapes.entries()) {
    const explored = await exploreShape(shape, asked, load);
    const found = summary(explored, asked.rule);
    if (!asked.json) console.log(told(found, explored.results.at(-1) ?? null));
    const isOver = found.violations > 0 || !found.complete || index === asked.shapes.length - 1;
    if (!isOver) continue;
    if (asked.json) console.log(JSON.stringify(found));
    return found.violations > 0 ? 1 : found.complete ? 0 : 2;
  }
  return 2;
}

export async function main(argv: string[], load: Load): Promise<number> {
  let asked: Asked | 'list';
  try {
    asked = parse(argv);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`${error.message}\n${USAGE}`);
    return 2;
  }
  if (asked !== 'list') return run(asked, load);
  const width = Math.max(...RULES.map(({ name }) => name.length));
  for (const { name, without } of RULES) console.log(`${name.padEnd(width)}  ${without}`);
  return 0;
}
