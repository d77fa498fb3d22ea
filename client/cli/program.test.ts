import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from './program.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-program-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const exitCode = await runProgram(argv, {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
  });
  return { exitCode, out, err };
}

/** The one document of a refusal with --json, and its exit code. */
async function refusal(...argv: string[]): Promise<string> {
  const { exitCode, out } = await run(...argv, '--json');
  const { error } = JSON.parse(out) as { error: { code: string; message: string } };
  expect(error.message).not.toBe('');
  return `${exitCode} ${error.code}`;
}

const COMMANDS = [
  ['dev'],
  ['demo'],
  ['terminal'],
  ['chain'],
  ['channel', 'open'],
  ['channel', 'deposit'],
  ['channel', 'list'],
  ['channel', 'close'],
  ['withdraw'],
  ['balance'],
  ['channel', 'eject'],
  ['status'],
  ['invoice'],
  ['invoice', 'list'],
  ['invoice', 'wait'],
  ['invoice', 'cancel'],
  ['pay'],
  ['refund'],
  ['payments'],
  ['payments', 'list'],
  ['payments', 'show'],
  ['payments', 'export'],
  ['payments', 'record'],
  ['cashier', 'add'],
  ['cashier', 'list'],
  ['cashier', 'remove'],
];

const titled = (lines: readonly string[][]) => lines.map((argv) => ({ argv, title: argv.join(' ').slice(0, 60) }));

describe('baro --help', () => {
  it('lists the commands and explains the exit codes', async () => {
    const { exitCode, out } = await run('--help');
    expect(exitCode).toBe(0);
    for (const [name = ''] of COMMANDS) expect(out).toContain(name);
    expect(out).toContain('130  interrupted');
    expect(out).toContain('EMULATED');
  });

  it.each(titled(COMMANDS))('has examples for $title', async ({ argv: path }) => {
    const { exitCode, out, err } = await run(...path, '--help');
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toContain('Examples:\n  baro ');
    expect(out).toContain('--json');
  });

  it('is what a bare `baro` shows, as a mistake', async () => {
    const { exitCode, out, err } = await run();
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain('Usage: baro');
  });
});

describe('a command line that is wrong is refused with exit code 2', () => {
  const peer = `0x${'ab'.repeat(20)}`;
  const channel = `0x${'cd'.repeat(32)}`;

  const wrong: [argv: string[], code: string][] = [
    [['nonsense'], 'USAGE'],
    [['pay', '--nonsense'], 'USAGE'],
    [['invoice'], 'USAGE'],
    [['invoice', '--amount', '0'], 'INVALID_AMOUNT'],
    [['invoice', '--amount', '-1eth'], 'INVALID_AMOUNT'],
    [['invoice', '--amount', '1.5'], 'INVALID_AMOUNT'],
    [['invoice', '--amount', '1eth', '--expires', '0'], 'INVALID_OPTION'],
    [['invoice', '--amount', '1eth', '--description', 'x'.repeat(257)], 'INVALID_OPTION'],
    [['pay'], 'INVALID_OPTION'],
    [['pay', 'baro:x', '--amount', '1eth'], 'INVALID_OPTION'],
    [['pay', '--to', peer], 'INVALID_OPTION'],
    [['pay', '--to', '0x1234…abcd', '--amount', '1eth'], 'INVALID_OPTION'],
    [['pay', '--to', peer, '--amount', '1eth', '--max-fee', '-1'], 'INVALID_AMOUNT'],
    [['channel', 'open', '--peer', peer], 'USAGE'],
    [['channel', 'open', '--peer', 'bob', '--deposit', '1eth'], 'INVALID_OPTION'],
    [['channel', 'open', '--peer', peer, '--deposit', '0eth'], 'INVALID_AMOUNT'],
    [['channel', 'deposit', channel], 'USAGE'],
    [['channel', 'close'], 'USAGE'],
    [['channel', 'close', '0x12'], 'INVALID_OPTION'],
    [['payments', '--limit', '0'], 'INVALID_OPTION'],
    [['payments', '--limit', '1e3'], 'INVALID_OPTION'],
    [['payments', '--after', '3'], 'INVALID_OPTION'],
    [['payments', '--follow', '--after', '-1'], 'INVALID_OPTION'],
    [['payments', 'show'], 'USAGE'],
    [['payments', 'show', '0x12'], 'INVALID_OPTION'],
    [['payments', 'export'], 'USAGE'],
    [['payments', 'export', '--csv', '-', '--since', 'yesterday'], 'INVALID_OPTION'],
    [['payments', 'record', '3'], 'INVALID_OPTION'],
    [['payments', '--limit', '3', 'show', '1'], 'USAGE'],
    [['invoice', '--amount', '1', '--order-number', ''], 'INVALID_OPTION'],
    [['invoice', 'cancel'], 'USAGE'],
    [['invoice', 'cancel', 'x'.repeat(67)], 'INVALID_OPTION'],
    [['invoice', 'list', '--limit', '0'], 'INVALID_OPTION'],
    [['refund'], 'USAGE'],
    [['refund', '0x12'], 'INVALID_OPTION'],
    [['refund', channel, '--amount', '0'], 'INVALID_AMOUNT'],
    [['pay', 'baro:x', '--idempotency-key', ''], 'INVALID_OPTION'],
    [['channel', 'eject', '0x12'], 'INVALID_OPTION'],
    [['cashier', 'add', 'till'], 'USAGE'],
    [['cashier', 'add', 'till', '--may', 'pay'], 'INVALID_OPTION'],
    [['cashier', 'add', 'two words', '--may', 'invoice'], 'INVALID_OPTION'],
    [['balance', '--credentials', '/nowhere/till.json'], 'NO_CREDENTIALS'],
    [['chain', '--port', '65536'], 'INVALID_OPTION'],
    [['terminal', '--hub', 'nowhere', '--rpc', 'http://x'], 'INVALID_OPTION'],
    [['terminal', '--hub', 'http://x', '--rpc', 'ipc:///x'], 'INVALID_OPTION'],
    [['terminal', '--log-level', 'loud'], 'USAGE'],
  ];
  it.each(wrong.map(([argv, code]) => ({ argv, code, title: argv.join(' ').slice(0, 60) })))(
    '$title: $code',
    async ({ argv, code }) => {
      expect(await refusal(...argv)).toBe(`2 ${code}`);
    },
  );

  it('is answered in words, naming the option and the help', async () => {
    const { exitCode, out, err } = await run('invoice', '--amount', '0');
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain('--amount: The amount "0" is zero');
    expect(err).toContain('See baro invoice --help');
  });

  it('guesses what was meant', async () => {
    expect((await run('balanse')).err).toContain('Did you mean balance?');
  });
});

describe('a command without a daemon', () => {
  it.each(
    titled([
      ['balance'],
      ['payments'],
      ['withdraw'],
      ['channel', 'list'],
      ['channel', 'close', `0x${'cd'.repeat(32)}`],
      ['channel', 'deposit', `0x${'cd'.repeat(32)}`, '--amount', '1'],
      ['channel', 'open', '--peer', `0x${'ab'.repeat(20)}`, '--deposit', '1'],
      ['invoice', '--amount', '1'],
      ['invoice', 'list'],
      ['invoice', 'wait', 'A-1'],
      ['invoice', 'cancel', 'A-1'],
      ['status'],
      ['pay', 'baro:x'],
      ['pay', 'baro:x', '--dry-run'],
      ['refund', `0x${'cd'.repeat(32)}`],
      ['payments', 'show', '1'],
      ['payments', 'export', '--csv', '-'],
      ['payments', '--follow'],
      ['payments', 'record', `0x${'cd'.repeat(32)}`, '--yes'],
      ['channel', 'eject', `0x${'cd'.repeat(32)}`, '--yes'],
      ['cashier', 'add', 'till', '--may', 'invoice'],
      ['cashier', 'list'],
      ['cashier', 'remove', 'till'],
    ]),
  )('$title says how to start one', async ({ argv }) => {
    expect(await refusal(...argv, '--data', directory)).toBe('1 NO_DAEMON');
    const { out, err } = await run(...argv, '--data', directory);
    expect(out).toBe('');
    expect(err).toContain(`baro terminal --data ${directory}`);
  });
});

describe('baro terminal', () => {
  const first = (...more: string[]) => [
    'terminal',
    '--data',
    directory,
    '--platform',
    `${directory}-platform`,
    ...more,
  ];
  const nowhere = ['--hub', 'http://127.0.0.1:9', '--rpc', 'http://127.0.0.1:9'];

  it('needs hub and RPC at the first start', async () => {
    expect(await refusal(...first())).toBe('2 NOT_CONFIGURED');
    expect(await refusal(...first('--hub', 'http://127.0.0.1:9'))).toBe('2 NOT_CONFIGURED');
  });

  it('deals with EMULATED enclaves only where its owner says so', async () => {
    expect(await refusal(...first(...nowhere))).toBe('2 EMULATED_NOT_ACCEPTED');
  });

  it('refuses a platform inside its data, where a rollback would take both', async () => {
    const inside = ['--platform', join(directory, 'platform'), '--accept-emulated', ...nowhere];
    expect(await refusal('terminal', '--data', directory, ...inside)).toBe('2 PLATFORM_INSIDE_DATA');
    const { err } = await run('terminal', '--data', directory, ...inside);
    expect(err).toContain('roll back the other');
  });

  it('refuses fees without --forward', async () => {
    expect(await refusal(...first(...nowhere, '--accept-emulated', '--fee-ppm', '5'))).toBe('2 INVALID_OPTION');
  });

  it('says at every start that enclave and owner key are not protected', async () => {
    const start = first(...nowhere, '--accept-emulated');
    for (const again of [start, start, [...start, '--json']]) {
      const { exitCode, err } = await run(...again);
      expect(exitCode).toBe(1);
      expect(err).toContain('EMULATED enclave: keys and state are kept apart by interface');
      expect(err).toContain(`INSECURE owner key: ${join(directory, 'owner.INSECURE.key')} holds it as plain text`);
    }
  });

  it('tells a hub that is not there, and an owner key that is none', async () => {
    const start = first(...nowhere, '--accept-emulated');
    expect(await refusal(...start)).toBe('1 HUB_UNREACHABLE');
    const file = join(directory, 'my.key');
    expect(await refusal(...start, '--owner-key-file', file)).toBe('2 OWNER_KEY_MISSING');
    await writeFile(file, `0x${'ff'.repeat(32)}`);
    const { err } = await run(...start, '--owner-key-file', file);
    expect(err).toContain('OWNER_KEY_MALFORMED');
    expect(err).not.toContain('ffff');
  });
});

describe('baro dev and demo', () => {
  it('refuse a directory with something in it', async () => {
    await writeFile(join(directory, 'mine'), '');
    expect(await refusal('dev', '--data', directory)).toBe('2 DATA_NOT_EMPTY');
    expect(await refusal('demo', '--data', directory)).toBe('2 DATA_NOT_EMPTY');
  });
});
