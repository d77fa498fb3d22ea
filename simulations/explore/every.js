/**
 * `npm run explore -- every [NAME…] [--record]`: every shape in every size, and every rule broken, or those named. It
 * takes some minutes; what one minute allows runs in `npm test`. Compares with counts.json; `--record` writes it.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from './bundle.js';

const COUNTS = join(import.meta.dirname, 'counts.json');

/** Runs the command as a user does, and keeps what it prints. */
async function explore(main, argv) {
  const { log } = console;
  const lines = [];
  console.log = (line) => lines.push(line);
  const start = performance.now();
  try {
    const status = await main(argv, (edits) => load('exploration.ts', edits));
    return { status, printed: lines.join('\n'), seconds: ((performance.now() - start) / 1000).toFixed(1) };
  } finally {
    console.log = log;
  }
}

function told(what, holds) {
  console.log(`${holds ? 'ok   ' : 'WRONG'} ${what}`);
  return holds;
}

/** @returns the exit status */
export async function every(argv) {
  const { main } = await load('main.ts');
  const { RULES } = await load('rules.ts');
  const { SHAPE_NAMES, SIZES } = await load('shapes.ts');
  const named = argv.filter((each) => !each.startsWith('--'));
  const isAsked = (name) => named.length === 0 || named.some((each) => name.startsWith(each));
  const counts = JSON.parse(await readFile(COUNTS, 'utf8'));
  let held = true;
  const sizes = SHAPE_NAMES.flatMap((shape) => [...SIZES[shape]].sort().map((size) => [shape, `${size}`]));
  for (const [shape, size] of sizes.filter((each) => isAsked(each.join(' ')))) {
    const name = `${shape} ${size}`;
    const { status, printed, seconds } = await explore(main, ['--shape', shape, '--participants', size, '--json']);
    const { states, transitions } = JSON.parse(printed);
    const isEnough = status === 0 && states >= (counts.shapes[name]?.states ?? 0);
    held = told(`${name}: ${states} states, ${transitions} transitions, ${seconds} s`, isEnough) && held;
    counts.shapes[name] = { states, transitions };
  }
  for (const { name } of RULES.filter((rule) => isAsked(rule.name))) {
    const { status, printed, seconds } = await explore(main, ['--break', name]);
    const steps = printed.match(/^ +\d+\. /gm)?.length ?? 0;
    const [, shape, size] = [...printed.matchAll(/^Shape (\w+), (\d)/gm)].at(-1) ?? [];
    held = told(`without ${name}: ${steps} steps in ${shape} ${size}, ${seconds} s`, status === 1 && steps > 0) && held;
    counts.rules[name] = { shape: `${shape} ${size}`, steps };
  }
  if (argv.includes('--record')) await writeFile(COUNTS, `${JSON.stringify(counts, null, 2)}\n`);
  return held ? 0 : 1;
}
