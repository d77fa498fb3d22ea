import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Children, type Program } from './children.ts';
import { codeOf } from './failure.ts';

const ready = z.object({ ready: z.literal(true), also: z.number().optional() });
let directory: string;
let children: Children;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-children-'));
  children = new Children();
});
afterEach(async () => {
  await children.stopAll();
  await rm(directory, { recursive: true, force: true });
});

async function program(name: string, source: string, more: Partial<Program> = {}): Promise<Program> {
  const file = join(directory, `${name}.mjs`);
  await writeFile(file, source);
  return { name, command: process.execPath, args: [file], logFile: join(directory, `${name}.log`), stage: 0, ...more };
}

const STAYS = 'setInterval(() => {}, 1000);';
const READY = 'console.log(JSON.stringify({ ready: true }));';
const DEAF = "process.on('SIGTERM', () => {});";

/** A dead process whose new parent has not looked yet still answers signals. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = existsSync('/proc/self/stat') ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    return !/^\d+ \(.*\) Z/s.test(stat);
  } catch {
    return false;
  }
}

const codeThrown = async (promise: Promise<unknown>): Promise<string | undefined> =>
  await promise.then(
    () => undefined,
    (error: unknown) => codeOf(error),
  );

describe('Children', () => {
  it('gives back what a program says when it is ready', async () => {
    const source = `console.log(JSON.stringify({ ready: true, also: 7 })); ${STAYS}`;
    expect(await children.start(await program('p', source), ready)).toEqual({ ready: true, also: 7 });
  });

  it('stops those that listen, and kills those that do not', async () => {
    await children.start(await program('polite', READY + STAYS), ready);
    await children.start(await program('deaf', DEAF + READY + STAYS, { stopMs: 200 }), ready);
    const { pids } = children;
    expect(pids.map(isAlive)).toEqual([true, true]);
    await children.stopAll();
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  it('stops higher stages first', async () => {
    const order = join(directory, 'order');
    const noisy = (name: string): string =>
      `import { appendFileSync } from 'node:fs';
       process.on('SIGTERM', () => { appendFileSync(${JSON.stringify(order)}, '${name} '); process.exit(0); });`;
    await children.start(await program('low', noisy('low') + READY + STAYS, { stage: 1 }), ready);
    await children.start(await program('high', noisy('high') + READY + STAYS, { stage: 2 }), ready);
    await children.stopAll();
    expect(await readFile(order, 'utf8')).toBe('high low ');
  });

  it('leaves no grandchild behind', async () => {
    const source = `import { spawn } from 'node:child_process';
      const { pid } = spawn(process.execPath, ['-e', ${JSON.stringify(DEAF + STAYS)}], { stdio: 'ignore' });
      console.log(JSON.stringify({ ready: true, also: pid })); ${STAYS}`;
    const { also = 0 } = await children.start(await program('parent', source), ready);
    expect(isAlive(also)).toBe(true);
    await children.stopAll();
    await expect.poll(() => isAlive(also)).toBe(false);
  });

  it('reports a program that ends by itself, with the end of its log', async () => {
    const source = `${READY} process.stdin.once('data', () => { console.error('why it died'); process.exit(3); });`;
    await children.start(await program('brittle', source), ready);
    const dying = children.pids[0] ?? 0;
    process.kill(dying, 'SIGKILL');
    await expect(children.lost).rejects.toMatchObject({ code: 'CHILD_ENDED' });
    await expect(children.lost).rejects.toThrow(/brittle ended unexpectedly \(SIGKILL\)/);
  });

  it('refuses a program that ends, stays silent or talks nonsense before it is ready, and ends it', async () => {
    const ends = await program('ends', "console.error('no disk'); process.exit(2);");
    await expect(children.start(ends, ready)).rejects.toThrow(/ends ended unexpectedly \(exit code 2\)[^]*no disk/);
    expect(await codeThrown(children.start(await program('mute', STAYS, { readyMs: 100 }), ready))).toBe(
      'CHILD_NOT_READY',
    );
    const nonsense = await program('nonsense', `console.log('hello'); ${STAYS}`);
    expect(await codeThrown(children.start(nonsense, ready))).toBe('CHILD_NOT_READY');
    const absent = await program('absent', '', { command: join(directory, 'no-such-program') });
    expect(await codeThrown(children.start(absent, ready))).toBe('CHILD_ENDED');
    expect(children.pids).toEqual([]);
  });

  it('passes on the code of a program that refuses to start', async () => {
    const source = `console.log(JSON.stringify({ error: { code: 'PORT_IN_USE', message: 'taken' } })); process.exit(1);`;
    expect(await codeThrown(children.start(await program('refused', source), ready))).toBe('PORT_IN_USE');
  });

  it('starts nothing any more once it is stopping, and ends what is just starting', async () => {
    const starting = codeThrown(children.start(await program('slow', STAYS), ready));
    await children.stopAll();
    expect(await starting).toBe('CHILD_ENDED');
    expect(await codeThrown(children.start(await program('late', READY + STAYS), ready))).toBe('STOPPED');
  });

  it('leaves nothing when it is killed outright', async () => {
    const file = join(directory, 'deaf.mjs');
    await writeFile(file, DEAF + READY + STAYS);
    const parent = `import { Children } from ${JSON.stringify(new URL('./children.ts', import.meta.url).href)};
      import { z } from ${JSON.stringify(import.meta.resolve('zod'))};
      const children = new Children();
      await children.start(
        { name: 'w', command: process.execPath, args: [${JSON.stringify(file)}], logFile: ${JSON.stringify(join(directory, 'w.log'))}, stage: 0 },
        z.object({ ready: z.literal(true) }));
      console.log(JSON.stringify({ ready: true, also: children.pids[0] })); ${STAYS}`;
    const bundled = await bundle(parent);
    const { also = 0 } = await children.start(await program('parent', bundled), ready);
    expect(isAlive(also)).toBe(true);
    process.kill(children.pids[0] ?? 0, 'SIGKILL');
    await expect.poll(() => isAlive(also), { timeout: 5_000 }).toBe(false);
  });
});

/** Node 20 does not run TypeScript by itself. */
async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
    plugins: [
      {
        name: 'file-urls',
        setup: (setup) => {
          setup.onResolve({ filter: /^file:/ }, ({ path }) => ({ path: new URL(path).pathname }));
        },
      },
    ],
  });
  return outputFiles[0]?.text ?? '';
}
