import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Terminal } from '../terminal.ts';
import { Cashiers, SCOPES, type Scope } from './cashiers.ts';
import { ControlClient } from './control-client.ts';
import { controlRoutes, type Status } from './control-routes.ts';
import { type ControlServer, type Route, startControlServer } from './control-server.ts';
import { writePrivateFile } from './private-file.ts';

const OWNER = 'ab'.repeat(32);
let directory: string;
let cashiers: Cashiers;
let server: ControlServer;
/** Every route of a terminal, as a door behind which nothing is done. */
let routes: Route[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-cashiers-'));
  cashiers = await Cashiers.open(directory);
  const nobody = {} as unknown as Terminal;
  const real = controlRoutes({ terminal: nobody, status: () => ({}) as unknown as Status, cashiers });
  routes = real.map((each) => ({ ...each, streams: false, run: (_input, _phases, { cashier }) => ({ cashier }) }));
  server = await startControlServer({ token: OWNER, cashiers, port: 0, routes });
});
afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

async function clientOf(cashier: string, may: Scope[]): Promise<ControlClient> {
  const token = await cashiers.add({ name: cashier, may });
  return fileOf(cashier, { may, token });
}

async function fileOf(cashier: string, { may, token }: { may: Scope[]; token: string }): Promise<ControlClient> {
  const file = join(directory, `${cashier}.json`);
  await writePrivateFile(file, JSON.stringify({ version: 1, url: server.url, cashier, may, token }));
  return ControlClient.openAs(file);
}

const answer = z.object({ cashier: z.string().nullable() });
const ask = (client: ControlClient, { method, path }: Route) =>
  client.call({ method, path, answer, ...(method === 'POST' ? { body: {} } : {}) });

/** The paths that this client gets through to. */
async function open(client: ControlClient): Promise<string[]> {
  const paths: string[] = [];
  for (const each of routes) {
    const refusal = await ask(client, each).then(
      () => null,
      (error: unknown) => error,
    );
    if (refusal === null) paths.push(each.path);
    else expect(refusal).toMatchObject({ code: 'NOT_ALLOWED' });
  }
  return paths.sort();
}

const BY_SCOPE: Record<Scope, string[]> = {
  invoice: ['/invoice', '/invoices', '/invoices/cancel', '/invoices/find', '/invoices/wait'],
  payments: ['/payments', '/payments/find', '/payments/follow', '/payments/newest'],
  balance: ['/balance'],
};
const NEVER = [
  ...['/pay', '/quote', '/refund', '/withdraw', '/channels', '/channels/open', '/channels/deposit', '/channels/close'],
  ...['/channels/eject', '/channels/eject-cost', '/payments/record', '/payments/record-cost'],
  ...['/cashiers', '/cashiers/add', '/cashiers/remove'],
];

describe('a cashier', () => {
  it.each(SCOPES.map((scope) => ({ scope })))(
    'with $scope gets what that scope is for, and nothing else',
    async (given) => {
      const client = await clientOf('till', [given.scope]);
      expect(await open(client)).toEqual([...BY_SCOPE[given.scope], '/status'].sort());
    },
  );

  it('with every scope there is still cannot pay, refund, withdraw, touch channels or make cashiers', async () => {
    const client = await clientOf('till', [...SCOPES]);
    const paths = await open(client);
    expect(paths.filter((path) => NEVER.includes(path))).toEqual([]);
    expect([...paths, ...NEVER].sort()).toEqual(routes.map((each) => each.path).sort());
  });

  it.each(NEVER.map((path) => ({ path })))('is refused $path in words that say who can', async ({ path }) => {
    const client = await clientOf('till', ['invoice', 'payments']);
    const asked = routes.find((each) => each.path === path);
    if (!asked) throw new Error(`${path} is no route`);
    await expect(ask(client, asked)).rejects.toThrow(/till may not do this .* Only the owner can/);
  });

  it('is named to the terminal, the owner is not', async () => {
    const invoice = routes.find((each) => each.path === '/invoice');
    if (!invoice) throw new Error('no route');
    expect(await ask(await clientOf('till-2', ['invoice']), invoice)).toEqual({ cashier: 'till-2' });
  });

  it('opens nothing any more once removed, and the others go on', async () => {
    const client = await clientOf('gone', ['balance']);
    const other = await clientOf('stays', ['balance']);
    const [balance] = routes.filter((each) => each.path === '/balance');
    if (!balance) throw new Error('no route');
    await cashiers.remove('gone');
    await expect(ask(client, balance)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await ask(other, balance)).toEqual({ cashier: 'stays' });
    await expect(cashiers.remove('gone')).rejects.toMatchObject({ code: 'UNKNOWN_CASHIER' });
  });

  it('is still one after a restart, and neither token nor name is taken twice', async () => {
    const token = await cashiers.add({ name: 'till', may: ['balance', 'balance'] });
    await expect(cashiers.add({ name: 'till', may: ['invoice'] })).rejects.toMatchObject({ code: 'CASHIER_EXISTS' });
    const again = await Cashiers.open(directory);
    expect(again.find(token)).toMatchObject({ name: 'till', may: ['balance'] });
    expect(again.find(token.slice(1))).toBeUndefined();
  });

  it('is kept as a hash, in a file that is the owner’s alone', async () => {
    const token = await cashiers.add({ name: 'till', may: ['invoice'] });
    const file = join(directory, 'cashiers.json');
    expect(await readFile(file, 'utf8')).not.toContain(token);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is told where nobody answers, and that a file of something else is no key', async () => {
    const client = await fileOf('lost', { may: ['balance'], token: 'cd'.repeat(32) });
    const [balance] = routes.filter((each) => each.path === '/balance');
    if (!balance) throw new Error('no route');
    await expect(ask(client, balance)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(ControlClient.openAs(join(directory, 'nothing'))).rejects.toMatchObject({ code: 'NO_CREDENTIALS' });
    await expect(ControlClient.openAs(join(directory, 'cashiers.json'))).rejects.toMatchObject({ exitCode: 2 });
  });
});
