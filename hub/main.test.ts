import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonRpcProvider, Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deployPaymentChannels } from '../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../contracts/development-chain.ts';
import { policy } from './testing/hello.ts';

const PROGRAM = join(import.meta.dirname, '../dist/hub/main.js');

let chain: DevelopmentChain;
let contract: string;
const folder = mkdtempSync(join(tmpdir(), 'baro-hub-program-'));

beforeAll(async () => {
  chain = await startDevelopmentChain();
  const provider = new JsonRpcProvider(chain.url);
  contract = (await deployPaymentChannels(new Wallet(chain.accounts[0]?.privateKey ?? '', provider))).address;
  provider.destroy();
});

afterAll(async () => {
  await chain.stop();
  rmSync(folder, { recursive: true });
});

const options = (over: Record<string, string> = {}): string[] => {
  const values = { data: folder, rpc: chain.url, contract, 'chain-id': String(chain.chainId), ...over };
  const accepted = [
    '--accept-authority',
    policy.authorities[0] ?? '',
    '--accept-measurement',
    policy.measurements[0] ?? '',
  ];
  return [...Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]), ...accepted, '--accept-emulated'];
};

interface Run {
  child: ChildProcess;
  /** The first line on stdout, or null where the program ended without. */
  line: Promise<string | null>;
  end: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function run(args: string[]): Run {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  const line = new Promise<string | null>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      const [first, rest] = stdout.split('\n');
      if (rest !== undefined) resolve(first ?? null);
    });
    child.once('close', () => resolve(null));
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const end = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, line, end };
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'the program says that it is ready, serves, and stops cleanly on %s',
  async (signal) => {
    const { child, line, end } = run([...options(), '--json-ready']);
    const ready = JSON.parse((await line) ?? 'null') as { ready: boolean; url: string; port: number; pid: number };
    expect(ready).toMatchObject({ ready: true, pid: child.pid, url: `http://127.0.0.1:${ready.port}` });
    expect((await fetch(new URL('/health', ready.url))).status).toBe(200);
    child.kill(signal);
    const { code, stderr } = await end;
    expect(code, stderr).toBe(0);
  },
);

test.each<[string, Record<string, string>, number, string]>([
  ['another chain', { 'chain-id': '5' }, 2, 'WRONG_CHAIN'],
  ['no contract at the address', { contract: `0x${'12'.repeat(20)}` }, 2, 'NO_CONTRACT'],
  ['an RPC that does not answer', { rpc: 'http://127.0.0.1:9' }, 1, 'RPC_UNREACHABLE'],
  ['a port that is none', { port: '70000' }, 2, 'BAD_CONFIG'],
])('%s is refused in words', async (_what, over, code, name) => {
  const { code: found, stdout, stderr } = await run([...options(over), '--log-level', 'silent']).end;
  expect(stderr).toMatch(new RegExp(`^${name}: .{20,}`));
  expect([found, stdout]).toEqual([code, '']);
});

test('a port in use and a directory in use are refused in words', async () => {
  const first = run([...options(), '--json-ready']);
  const { port } = JSON.parse((await first.line) ?? 'null') as { port: number };
  const elsewhere = { data: join(folder, 'other'), port: String(port) };
  expect(await run([...options(elsewhere), '--log-level', 'silent']).end).toMatchObject({ code: 1, stdout: '' });
  const sameData = await run([...options(), '--log-level', 'silent']).end;
  expect(sameData.stderr).toMatch(/^IN_USE: /);
  first.child.kill('SIGTERM');
  expect((await first.end).code).toBe(0);
});

test('a missing option is a usage error', async () => {
  const { code, stderr } = await run(['--data', folder]).end;
  expect(code).toBe(2);
  expect(stderr).toContain('--rpc');
});

test.each<[string, () => string[], number, string]>([
  ['a missing option', () => ['--data', folder], 2, 'USAGE'],
  ['an unknown option', () => [...options(), '--frobnicate'], 2, 'USAGE'],
  ['a log level that is none', () => [...options(), '--log-level', 'loud'], 2, 'USAGE'],
  ['a public name that is none', () => [...options(), '--public-name', 'http://hub.example'], 2, 'BAD_CONFIG'],
  ['a grace that is none', () => [...options(), '--restart-grace-ms', 'long'], 2, 'BAD_CONFIG'],
  ['another chain', () => options({ 'chain-id': '5' }), 2, 'WRONG_CHAIN'],
  ['an RPC that does not answer', () => options({ rpc: 'http://127.0.0.1:9' }), 1, 'RPC_UNREACHABLE'],
])('with --json-ready %s is told as one line of JSON', async (_what, args, code, name) => {
  const { code: found, stdout, stderr } = await run([...args(), '--json-ready', '--log-level', 'silent']).end;
  expect(stdout.trimEnd().split('\n').length).toBe(1);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  expect([found, error.code, stderr]).toEqual([code, name, '']);
  expect(error.message.length).toBeGreaterThan(20);
});
