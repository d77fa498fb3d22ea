import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { edited, load } from './bundle.js';
import type { explore } from './exploration.ts';
import { type Edit, RULES, type Rule, SHORT_MEMORY } from './rules.ts';
import { shapeOf } from './shapes.ts';

const ROOT = join(import.meta.dirname, '../..');
const source = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Explored by `npm run explore -- every`: catching them takes longer than a test should. */
const SLOW = ['order-twice', 'order-released-by-one-void', 'prepare-after-forgetting', 'forget-without-watermark'];

/** The steps of the shortest trace to what goes wrong without a rule; none where nothing does. */
async function caught({ edits, shapes }: Rule): Promise<string[]> {
  for (const [name, size] of shapes) {
    const shape = shapeOf(name, size);
    const all: Edit[] = [...edits, ...(shape.forgetful ? SHORT_MEMORY : [])];
    const exploration = (await load('exploration.ts', all)) as { explore: typeof explore };
    for await (const { violation } of exploration.explore(shape, { maxStates: 10_000_000 })) {
      if (violation) return violation.trace;
    }
  }
  return [];
}

describe('a rule that is taken out', () => {
  for (const rule of RULES.filter(({ name }) => !SLOW.includes(name))) {
    it(`is caught: ${rule.name}`, async () => {
      expect((await caught(rule)).length).toBeGreaterThan(2);
    });
  }
});

describe('the edits that take rules out', () => {
  it('find their text exactly once in the sources of today', () => {
    for (const { edits } of [...RULES, { edits: SHORT_MEMORY }]) {
      for (const edit of edits) expect(edited(source(edit.file), edit)).toContain(edit.replace);
    }
  });

  it('leave no trace in what ships: neither a rule’s name, nor its broken text, nor a switch', () => {
    const core = readdirSync(join(ROOT, 'enclave/core')).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    const shipped = ['dist/enclave/image.js', ...core.map((name) => `enclave/core/${name}`)];
    const traces = [
      ...RULES.map(({ name }) => name).filter((name) => name.includes('-')),
      ...RULES.flatMap(({ edits }) => edits.map(({ replace }) => replace)).filter((text) => text.length > 0),
      ...['process.env', 'process.argv', '--break'],
    ];
    const found = shipped.flatMap((file) => {
      const text = source(file);
      return traces.filter((trace) => text.includes(trace)).map((trace) => `${file}: ${trace}`);
    });
    expect(found).toEqual([]);
  });
});
