/**
 * Bad input against the whole house: built programs, a real chain, the real hub, terminals as processes. Each refusal
 * says what to do next, and is followed by a payment over the same channels.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { programFile } from './programs.ts';

const BARO = programFile('client/cli/main.js');
const refusal = z.object({ error: z.object({ code: z.string(), message: z.string().min(20) }) });
const network = z.object({
  chain: z.string(),
  hub: z.string(),
  contract: z.string(),
  terminals: z.array(z.object({ name: z.string(), identity: z.string(), data: z.string() })),
});

let directory: string;
let house: z.infer<typeof network>;
const running: ChildProcess[] = [];

/** Starts a program that stays up, and gives the first document that it prints. */
async function stays(...args: string[]): Promise<{ child: ChildProcess; document: unknown }> {
  const child = spawn(process.execPath, [BARO, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  for await (const chunk of child.stdout) {
    out += String(chunk);
    if (out.includes('\n')) return { child, document: JSON.parse(out.split('\n')[0] ?? '') as unknown };
  }
  throw new Error(`baro ${args.join(' ')} ended before it was ready: ${err}`);
}

/** Runs a command to its end. */
async function baro(...args: string[]): Promise<{ exitCode: number; document: unknown }> {
  const answer = await promisify(execFile)(process.execPath, [BARO, ...args, '--json']).then(
    ({ stdout }) => ({ exitCode: 0, stdout }),
    (cause: unknown) =>
      z
        .object({ code: z.number(), stdout: z.string() })
        .transform(({ code, stdout }) => ({ exitCode: code, stdout }))
        .parse(cause),
  );
  return { exitCode: answer.exitCode, document: JSON.parse(answer.stdout) as unknown };
}

function terminal(name: string) {
  const found = house.terminals.find((each) => each.name === name);
  if (!found) throw new Error(`no terminal ${name}`);
  return found;
}

const payTo = (identity: string, amount: string) =>
  baro('pay', '--data', terminal('wallet').data, '--to', identity, '--amount', amount);

async function refused(asked: Promise<{ exitCode: number; document: unknown }>): Promise<string> {
  const { exitCode, document } = await asked;
  expect({ exitCode, document }).not.toMatchObject({ exitCode: 0 });
  return refusal.parse(document).error.code;
}

/** The proof that nothing was broken: wallet pays merchant over three hops. */
async function paysStill(): Promise<void> {
  const { exitCode, document } = await baro('invoice', '--amount', '1000', '--data', terminal('merchant').data);
  expect({ exitCode, document }).toMatchObject({ exitCode: 0 });
  const { text } = z.object({ text: z.string() }).parse(document);
  const paid = await baro('pay', text, '--data', terminal('wallet').data);
  expect(paid).toMatchObject({ exitCode: 0, document: { status: 'complete', hops: 3 } });
}

/** A terminal without channels, on the house's hub. */
function stranger(name: string, ...more: string[]) {
  const place = ['--data', join(directory, name), '--platform', join(directory, 'house', 'platform')];
  return stays(
    'terminal',
    ...place,
    '--hub',
    house.hub,
    '--rpc',
    house.chain,
    '--accept-emulated',
    '--json-ready',
    ...more,
  );
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-refusals-test-'));
  const { document } = await stays('dev', '--data', join(directory, 'house'), '--json');
  house = network.parse(document);
});

afterAll(async () => {
  for (const child of running.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(directory, { recursive: true, force: true });
});

describe('refused in words, and then paid over the same channels', () => {
  it('an unknown payee', async () => {
    expect(await refused(payTo(`0x${'12'.repeat(20)}`, '1000'))).toBe('UNKNOWN_PAYEE');
    await paysStill();
  });

  it('a payee without a channel, and one that is offline', async () => {
    const { child, document } = await stranger('stranger');
    const { identity } = z.object({ identity: z.string() }).parse(document);
    expect(await refused(payTo(identity, '1000'))).toBe('NO_ROUTE');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await refused(payTo(identity, '1000'))).toBe('PAYEE_OFFLINE');
    await paysStill();
  });

  it('more than there is, nothing at all, and more than 2^128 - 1', async () => {
    const { identity } = terminal('merchant');
    expect(await refused(payTo(identity, '5eth'))).toBe('NOT_ENOUGH_BALANCE');
    expect(await refused(payTo(identity, '0'))).toMatch(/AMOUNT|USAGE/);
    expect(await refused(payTo(identity, (2n ** 128n).toString()))).toMatch(/AMOUNT|USAGE/);
    await paysStill();
  });

  it('a hub port in use, a dead RPC, a wrong chain id', async () => {
    const { port } = new URL(house.hub);
    const hub = async (...more: string[]): Promise<string> => {
      const accepted = [
        '--accept-authority',
        terminal('wallet').identity,
        '--accept-measurement',
        `0x${'00'.repeat(32)}`,
      ];
      const known = [
        '--data',
        join(directory, `hub-${more.length}`),
        '--contract',
        house.contract,
        '--accept-emulated',
      ];
      const failed = await promisify(execFile)(process.execPath, [BARO, 'hub', ...known, ...accepted, ...more]).catch(
        (cause: unknown) => cause,
      );
      const { code, stderr } = z.object({ code: z.number(), stderr: z.string() }).parse(failed);
      expect(code).toBeGreaterThan(0);
      return stderr;
    };
    expect(await hub('--rpc', house.chain, '--chain-id', '31337', '--port', port)).toContain('PORT_IN_USE');
    expect(await hub('--rpc', 'http://127.0.0.1:1', '--chain-id', '31337')).toContain('RPC_UNREACHABLE');
    expect(await hub('--rpc', house.chain, '--chain-id', '1')).toContain('WRONG_CHAIN');
    await paysStill();
  });

  it('a terminal whose RPC is dead at its first start', async () => {
    const place = ['--data', join(directory, 'unborn'), '--platform', join(directory, 'house', 'platform')];
    const code = await refused(
      baro('terminal', ...place, '--hub', house.hub, '--rpc', 'http://127.0.0.1:1', '--accept-emulated'),
    );
    expect(code).toBe('RPC_UNREACHABLE');
    await paysStill();
  });

  it('a terminal whose quote comes from an authority that the hub does not accept', async () => {
    const { document } = await stranger('foreigner', '--platform', join(directory, 'another platform'));
    expect(document).toMatchObject({ ready: true });
    const { identity } = terminal('merchant');
    const shown = baro('channel', 'open', '--data', join(directory, 'foreigner'), '--peer', identity, '--deposit', '5');
    expect(await refused(shown)).toBe('MEASUREMENT_REFUSED');
    await paysStill();
  });

  it('a peer that floods the hub with bytes that are no frames', async () => {
    for (const bytes of [
      Uint8Array.of(),
      Uint8Array.of(1),
      new Uint8Array(5000).fill(7),
      Buffer.from('GET / HTTP/1.1'),
    ]) {
      const socket = new WebSocket(house.hub.replace('http', 'ws'));
      await once(socket, 'open');
      socket.send(bytes);
      await once(socket, 'close');
    }
    await paysStill();
  });
});
