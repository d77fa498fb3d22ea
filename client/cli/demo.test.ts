/**
 * The whole house at once: built programs, real processes, a real chain, real SQLite. Run `npm run build` first, or be
 * told so.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { programFile } from './programs.ts';

const TIMEOUT_MS = 120_000;
/** Inherited by whatever the programs under test start. */
const MARK = 'BARO_TEST_MARK';
const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const decimal = z.string().regex(/^\d+$/);

const document = z.strictObject({
  payments: z.array(
    z.strictObject({
      id: hex32,
      hops: z.number().int(),
      amount: decimal,
      status: z.enum(['complete', 'aborted', 'void']),
      ms: z.number().nonnegative(),
    }),
  ),
  channels: z.array(z.strictObject({ id: hex32, creditA: decimal, creditB: decimal, closeTx: hex32 })),
  conserved: z.literal(true),
  emulated: z.literal(true),
});

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-demo-test-'));
});
afterEach(async () => {
  // What a failed test left running; its guard ends the rest.
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  await rm(directory, { recursive: true, force: true });
});

const started: ChildProcess[] = [];

interface Ended {
  exitCode: number | null;
  out: string;
  err: string;
}

function start(command: string, ...args: string[]) {
  const data = join(directory, 'network');
  const child = spawn(process.execPath, [programFile('client/cli/main.js'), command, '--data', data, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [MARK]: directory },
  });
  started.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => child.once('close', (exitCode) => resolve({ exitCode, out, err })));
  const said = (): string => out + err;
  /** Resolves when it has said this; rejects when it ends before. */
  const saying = async (text: string): Promise<void> => {
    const early = ended.then(() => expect(said()).toContain(text));
    await Promise.race([expect.poll(said, { timeout: TIMEOUT_MS }).toContain(text), early]);
  };
  return { child, data, ended, said, saying };
}

/** Command lines of live processes that this test started, however indirectly. Linux only; elsewhere none is found. */
function left(): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        const ours = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${MARK}=${directory}`);
        return ours ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') : '';
      } catch {
        return '';
      }
    })
    .filter((line) => line !== '');
}

describe('baro demo --json', () => {
  it(
    'pays over three hops, closes, conserves, prints one document and leaves no process',
    async () => {
      const { exitCode, out, err } = await start('demo', '--json').ended;
      expect({ exitCode, err: exitCode === 0 ? '' : err }).toEqual({ exitCode: 0, err: '' });
      const { payments, channels } = document.parse(JSON.parse(out));
      expect(payments.length).toBeGreaterThanOrEqual(2);
      expect(payments.map(({ hops, status }) => ({ hops, status }))).toEqual(
        payments.map(() => ({ hops: 3, status: 'complete' })),
      );
      expect(new Set(payments.map(({ id }) => id)).size).toBe(payments.length);
      expect(channels.map(({ creditA, creditB }) => BigInt(creditA) + BigInt(creditB))).toEqual(
        Array.from({ length: 3 }, () => 10n ** 18n),
      );
      expect(err).toContain('EMULATED');
      expect(left()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('baro dev', () => {
  it(
    'stays up, can be paid from another process, and ends all it started on Ctrl-C',
    async () => {
      const running = start('dev');
      await running.saying('Ctrl-C. In another window');
      const [line = ''] = /node \S+ pay --data .*/.exec(running.said()) ?? [];
      const paid = await shell(line);
      expect(paid).toEqual({ exitCode: 0, out: expect.stringContaining('Paid 0.01 ETH') as string, err: '' });
      expect(left().length).toBeGreaterThanOrEqual(8);
      running.child.kill('SIGINT');
      const { exitCode, out } = await running.ended;
      expect(exitCode).toBe(0);
      expect(out).toContain('EMULATED');
      expect(left()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'ends all it started when a part of it dies, and says which',
    async () => {
      const running = start('dev');
      await running.saying('Ctrl-C. In another window');
      const control = z.object({ pid: z.number() });
      const { pid } = control.parse(JSON.parse(readFileSync(join(running.data, 'merchant', 'control.json'), 'utf8')));
      process.kill(pid, 'SIGKILL');
      const { exitCode, err } = await running.ended;
      expect(exitCode).toBe(1);
      expect(err).toContain('merchant ended unexpectedly (SIGKILL)');
      expect(left()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'leaves nothing even when it is killed outright',
    async () => {
      const running = start('dev');
      await running.saying('Ctrl-C. In another window');
      running.child.kill('SIGKILL');
      await expect.poll(left, { timeout: 20_000 }).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing when %s comes while it starts',
    async (signal) => {
      const running = start('dev');
      await running.saying('contract');
      running.child.kill(signal);
      expect((await running.ended).exitCode).toBe(130);
      expect(left()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

function shell(line: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.once('close', (exitCode) => resolve({ exitCode, out, err }));
  });
}
