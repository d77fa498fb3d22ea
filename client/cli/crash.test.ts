/**
 * A wallet and a merchant whose daemons die at the worst moments: real processes, killed outright between the steps of a
 * payment. What was asked for under a key is paid once; who follows or waits goes on.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PaymentEntry, paymentEntryAnswer, paymentsAnswer } from './answers.ts';
import { Children } from './children.ts';
import { ControlClient } from './control-client.ts';
import { type Member, type Network, startNetwork } from './network.ts';
import { programFile } from './programs.ts';
import { openChannels } from './scenario.ts';

const TIMEOUT_MS = 120_000;
const HUB = 1;
let directory: string;
let network: Network;
const children = new Children();
const spawned: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-crash-'));
  network = await startNetwork({ directory, children, step: () => undefined });
  await openChannels(network, () => undefined);
}, TIMEOUT_MS);
afterAll(async () => {
  for (const child of spawned) child.kill('SIGKILL');
  network.provider.destroy();
  await children.stopAll();
  await rm(directory, { recursive: true, force: true });
});

function member(at: number): Member {
  const found = network.members[at];
  if (!found) throw new Error(`no terminal ${at}`);
  return found;
}
const wallet = (): Member => member(0);
const merchant = (): Member => member(3);

/** A command in a process of its own. */
function baro(...args: string[]) {
  const child = spawn(process.execPath, [programFile('client/cli/main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  spawned.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<{ exitCode: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (exitCode) => resolve({ exitCode, out, err })),
  );
  const saying = (text: string | RegExp): Promise<void> =>
    expect.poll(() => out + err, { timeout: TIMEOUT_MS }).toMatch(text);
  return { child, ended, saying, out: () => out };
}

const pidOf = ({ data }: Member): number =>
  z.object({ pid: z.number() }).parse(JSON.parse(readFileSync(join(data, 'control.json'), 'utf8'))).pid;

function killOutright(of: Member): void {
  process.kill(pidOf(of), 'SIGKILL');
}

async function startAgain(of: Member): Promise<void> {
  const args = [programFile('client/cli/main.js'), 'terminal', '--data', of.data, '--poll-ms', '100', '--json-ready'];
  const logFile = join(directory, `${of.name}.log`);
  const program = { name: `${of.name} again`, command: process.execPath, args, logFile, stage: 2 };
  await children.start(program, z.object({ ready: z.literal(true) }));
}

/** Lets nothing through while `work` runs. */
async function frozen(pid: number, work: () => Promise<void>): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function paymentsOf(of: Member): Promise<PaymentEntry[]> {
  const client = await ControlClient.open(of.data);
  return (await client.call({ method: 'GET', path: '/payments?limit=100', answer: paymentsAnswer })).payments;
}

/** What the merchant got for good, by amount: each order here has an amount of its own. */
const receipts = async (amount: bigint): Promise<PaymentEntry[]> =>
  (await paymentsOf(merchant())).filter(
    (each) => each.role === 'payee' && each.phase === 'DONE' && each.amount === amount,
  );

const paying = (key: string, amount: bigint): string[] => [
  ...['pay', '--data', wallet().data, '--to', merchant().identity, '--amount', `${amount}wei`],
  ...['--max-fee', '0.01eth', '--idempotency-key', key],
];

describe('a payment with an idempotency key', () => {
  it(
    'is paid once when the daemon is killed before the hub read the order',
    async () => {
      const amount = 10n ** 15n + 1n;
      await frozen(children.pids[HUB] ?? 0, async () => {
        const first = baro(...paying('unread', amount));
        await first.saying('ORDER     sealed in the enclave');
        killOutright(wallet());
        expect((await first.ended).exitCode).toBe(1);
      });
      await startAgain(wallet());
      const again = await baro(...paying('unread', amount)).ended;
      expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining('Paid') as string });
      await expect.poll(() => receipts(amount)).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  it(
    'is paid once when the daemon is killed while its amount is locked',
    async () => {
      const amount = 10n ** 15n + 2n;
      await frozen(pidOf(member(2)), async () => {
        const first = baro(...paying('locked', amount));
        await first.saying('amount locked here');
        killOutright(wallet());
        expect((await first.ended).exitCode).toBe(1);
        await startAgain(wallet());
      });
      const again = await baro(...paying('locked', amount)).ended;
      expect(again).toMatchObject({ exitCode: 0, out: expect.stringContaining('Paid') as string });
      await expect.poll(() => receipts(amount)).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  it(
    'is answered with the first outcome when the daemon is killed after it, also after Ctrl-C',
    async () => {
      const amount = 10n ** 15n + 3n;
      const left = baro(...paying('over', amount));
      await left.saying('ORDER');
      left.child.kill('SIGINT');
      const { exitCode, err } = await left.ended;
      // It may be quicker than the signal.
      if (exitCode !== 0) expect([exitCode, err]).toEqual([130, expect.stringContaining('it is paid once')]);
      const first = await baro(...paying('over', amount), '--json').ended;
      expect(first.exitCode).toBe(0);
      killOutright(wallet());
      await startAgain(wallet());
      const again = await baro(...paying('over', amount), '--json').ended;
      const answer = z.object({ paymentId: z.string(), status: z.literal('complete') });
      expect(answer.parse(JSON.parse(again.out))).toEqual(answer.parse(JSON.parse(first.out)));
      await expect.poll(() => receipts(amount)).toHaveLength(1);
    },
    TIMEOUT_MS,
  );
});

describe('a merchant', () => {
  it(
    'waits for an invoice and follows payments across the death of its daemon',
    async () => {
      const follower = baro('payments', '--follow', '--json', '--after', '0', '--data', merchant().data);
      await follower.saying('"revision"');
      const till = baro('invoice', '--data', merchant().data, '--amount', '1000004gwei', '--wait', '--json');
      await till.saying('"text"');
      const { text } = z.object({ text: z.string() }).parse(JSON.parse(till.out()));
      killOutright(merchant());
      await till.saying('Still waiting');
      await startAgain(merchant());
      await expect.poll(async () => (await baro('pay', '--data', wallet().data, text).ended).exitCode).toBe(0);
      const { exitCode, out } = await till.ended;
      const [, last = ''] = out.trimEnd().split('\n');
      expect([exitCode, z.object({ status: z.string() }).parse(JSON.parse(last)).status]).toEqual([0, 'paid']);
      await follower.saying('"amount":"1000004000000000"');
      follower.child.kill('SIGINT');
      const ended = await follower.ended;
      expect([ended.exitCode, ended.err]).toEqual([130, expect.stringContaining('--after')]);
      const lines = ended.out.split('\n').filter((line) => line.startsWith('{"sequence"'));
      const entries = lines.map((line) => paymentEntryAnswer.parse(JSON.parse(line)));
      const revisions = entries.map((entry) => entry.revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((left, right) => left - right));
    },
    TIMEOUT_MS,
  );

  it(
    'stops waiting on Ctrl-C, and the invoice stays payable',
    async () => {
      const till = baro(
        'invoice',
        '--data',
        merchant().data,
        '--amount',
        '1000005gwei',
        '--wait',
        '--order-number',
        'Z-1',
      );
      await till.saying('Waiting for the payment');
      till.child.kill('SIGINT');
      const { exitCode, out, err } = await till.ended;
      expect([exitCode, err]).toEqual([130, expect.stringContaining('stays payable')]);
      const [text = ''] = /baro:\S+/.exec(out) ?? [];
      expect((await baro('pay', '--data', wallet().data, text).ended).exitCode).toBe(0);
      expect((await baro('invoice', 'wait', 'Z-1', '--data', merchant().data).ended).exitCode).toBe(0);
    },
    TIMEOUT_MS,
  );
});
