import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { deployPaymentChannels } from '../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../contracts/development-chain.ts';
import { PaymentChannels } from '../contracts/payment-channels.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import { domainSeparator, hashChannelIdentity } from '../enclave/core/encoding.ts';
import { type Address, bytes16, NATIVE, ZERO_32 } from '../enclave/core/ids.ts';
import type { Order } from '../enclave/core/order.ts';
import type { HubConfigInput } from './config.ts';
import { exitCodeOf, type RunningHub, startHub } from './hub.ts';
import { policy } from './testing/hello.ts';
import { addressNumber, bytesNumber } from './testing/names.ts';
import { SocketTerminal } from './testing/socket-terminal.ts';

let chain: DevelopmentChain;
let provider: JsonRpcProvider;
let contract: Address;
let channels: PaymentChannels;
let deployment: Deployment;
let orders = 0;
const folders: string[] = [];
const hubs: RunningHub[] = [];

beforeAll(async () => {
  chain = await startDevelopmentChain();
  provider = new JsonRpcProvider(chain.url, undefined, { cacheTimeout: -1 });
  const signer = new NonceManager(new Wallet(chain.accounts[0]?.privateKey ?? '', provider));
  contract = (await deployPaymentChannels(signer)).address;
  channels = await PaymentChannels.connect({ signer, address: contract });
  const chainId = BigInt(chain.chainId);
  deployment = { chainId, contract, domain: domainSeparator(chainId, contract) };
});

afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop();
});

afterAll(async () => {
  provider.destroy();
  await chain.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'baro-hub-'));
  folders.push(made);
  return made;
}

const config = (over: Partial<HubConfigInput> = {}): HubConfigInput => ({
  data: folder(),
  rpc: chain.url,
  contract,
  chainId: deployment.chainId,
  pollMs: 20,
  acceptAuthorities: policy.authorities,
  acceptMeasurements: policy.measurements,
  acceptEmulated: true,
  ...over,
});

async function start(input: HubConfigInput): Promise<RunningHub> {
  const hub = await startHub(input);
  hubs.push(hub);
  return hub;
}

async function get(hub: RunningHub, path: string, status = 200): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(path, hub.url));
  expect(response.status).toBe(status);
  return (await response.json()) as Record<string, unknown>;
}

/** Asks until it is so; the test's own limit is the end of patience. */
async function until<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Opens channels 1 – 2 – 3 on chain, each side paying in 1000, for fresh terminals with these numbers. */
async function line(numbers: number[]): Promise<SocketTerminal[]> {
  const terminals = numbers.map((number) => new SocketTerminal(number, deployment));
  for (const [index, left] of terminals.entries()) {
    const right = terminals[index + 1];
    if (!right) continue;
    const [partyA, partyB] = [left.keys.identity, right.keys.identity];
    const salt = bytes16(`0x${'00'.repeat(16)}`);
    const identity = { partyA, partyB, payoutA: partyA, payoutB: partyB, token: NATIVE, challengePeriod: 0, salt };
    await channels.open({ identity, side: 'A', amount: 1000n });
    await channels.deposit({ identity, side: 'B', amount: 1000n });
    const channelId = hashChannelIdentity(deployment.domain, identity);
    for (const each of [left, right]) each.fake.balances.set(channelId, 1000n);
  }
  return terminals;
}

async function ready(hub: RunningHub, terminals: SocketTerminal[], channelCount: number): Promise<void> {
  await until(async () => ((await get(hub, '/health'))['channels'] === channelCount ? true : null));
  for (const terminal of terminals) await terminal.connect(hub.url);
}

function order(payer: SocketTerminal, payee: SocketTerminal): Order {
  const sent: Order = {
    orderId: bytesNumber(0x7000 + orders++),
    payer: payer.keys.identity,
    payee: payee.keys.identity,
    token: NATIVE,
    amount: 10n,
    maxFee: 0n,
    invoice: ZERO_32,
    expiry: Math.floor(Date.now() / 1000) + 60,
  };
  payer.socket?.send({ kind: 'order', order: sent });
  return sent;
}

async function outcome(payer: SocketTerminal, sent: Order): Promise<string> {
  const { socket } = payer;
  if (!socket) throw new Error('not connected');
  return socket.until(() => {
    for (const message of socket.heard) {
      if (message.kind !== 'orderUpdate' || message.orderId !== sent.orderId) continue;
      if (message.state === 'complete' || message.state === 'failed') return message.code || message.state;
    }
    return null;
  });
}

let opened = 0;
async function network(numbers: [number, number, number], input = config()) {
  const [payer, middle, payee] = await line(numbers);
  opened += 2;
  if (!payer || !middle || !payee) throw new Error('three terminals wanted');
  const hub = await start(input);
  await ready(hub, [payer, middle, payee], opened);
  return { hub, input, payer, middle, payee, all: [payer, middle, payee] };
}

test('a payment runs over channels that were opened on a real chain, and is told over HTTP', async () => {
  const { hub, payer, payee } = await network([1, 2, 3]);
  expect(await outcome(payer, order(payer, payee))).toBe('complete');
  const { payments } = await get(hub, '/payments');
  expect(payments).toMatchObject([{ state: 'complete', amount: '10', hops: 2, payee: payee.keys.identity }]);
  expect(await get(hub, '/info')).toMatchObject({
    chainId: '31337',
    contract,
    wsUrl: hub.url.replace('http', 'ws'),
    acceptedMeasurements: policy.measurements,
    emulated: true,
  });
  expect(await get(hub, '/health')).toMatchObject({ status: 'ok', sessions: 3, paymentsInFlight: 0 });
  const map = await get(hub, '/network');
  expect(map).toMatchObject({ complete: true });
  expect(JSON.stringify(map)).toContain('"spendable":"990"');
  expect(await get(hub, '/nothing', 404)).toMatchObject({ code: 'NOT_FOUND' });
  expect(await get(hub, '/payments?limit=0', 400)).toMatchObject({ code: 'BAD_REQUEST' });
  expect((await fetch(new URL('/info', hub.url), { method: 'POST' })).status).toBe(405);
});

test('a hub that is stopped in the middle of a payment finishes it after its restart', async () => {
  const { hub, input, payer, middle, payee, all } = await network([4, 5, 6]);
  middle.fake.behave = (asked) => (asked.kind === 'update' ? 'silent' : undefined);
  const sent = order(payer, payee);
  await payer.socket?.until(() =>
    payer.socket?.heard.some((message) => message.kind === 'orderUpdate' && message.state === 'updating'),
  );
  await hub.stop();
  middle.fake.behave = () => undefined;
  const again = await start(input);
  await ready(again, all, opened);
  expect(await outcome(payer, sent)).toBe('complete');
  expect((await get(again, '/payments'))['payments']).toMatchObject([{ state: 'complete' }]);
  expect(await outcome(payer, order(payer, payee))).toBe('complete');
});

test('a hub that starts again reads the chain on from where it was', async () => {
  const input = config();
  const hub = await start(input);
  await until(async () => ((await get(hub, '/health'))['channels'] === opened ? true : null));
  const before = (await get(hub, '/health'))['chain'] as { nextBlock: number };
  await hub.stop();
  const again = await start(input);
  const after = (await get(again, '/health'))['chain'] as { nextBlock: number };
  expect(after.nextBlock).toBeGreaterThanOrEqual(before.nextBlock);
  expect((await get(again, '/health'))['channels']).toBe(opened);
});

test('what the hub cannot start with is refused in words', async () => {
  const hub = await start(config());
  const refusal = async (over: Partial<HubConfigInput>): Promise<[string, number]> => {
    const error: unknown = await startHub(config(over)).catch((reason: unknown) => reason);
    const { code, message } = error as Error & { code: string };
    expect(message.length).toBeGreaterThan(30);
    return [code, exitCodeOf(error)];
  };
  expect(await refusal({ port: hub.port })).toEqual(['PORT_IN_USE', 1]);
  expect(await refusal({ rpc: 'http://127.0.0.1:9' })).toEqual(['RPC_UNREACHABLE', 1]);
  expect(await refusal({ chainId: 1n })).toEqual(['WRONG_CHAIN', 2]);
  expect(await refusal({ contract: addressNumber(77) })).toEqual(['NO_CONTRACT', 2]);
  expect(await refusal({ contract: 'not hex' })).toEqual(['BAD_CONFIG', 2]);
  expect(await refusal({ port: 70_000 })).toEqual(['BAD_CONFIG', 2]);
  expect(await refusal({ acceptMeasurements: [] })).toEqual(['BAD_CONFIG', 2]);
  expect(await get(hub, '/health')).toMatchObject({ sessions: 0 });
});

test('while the RPC is dead payments go on, and /health says what is wrong', async () => {
  const { hub, payer, payee } = await network([7, 8, 9]);
  expect(await outcome(payer, order(payer, payee))).toBe('complete');
  await chain.stop();
  const health = await until(async () => {
    const found = await get(hub, '/health');
    return found['status'] === 'degraded' ? found : null;
  });
  expect((health['chain'] as { trouble: string }).trouble.length).toBeGreaterThan(10);
  expect(await outcome(payer, order(payer, payee))).toBe('complete');
});
