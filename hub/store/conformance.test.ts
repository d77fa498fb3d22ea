import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sqlite3 from 'sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { NATIVE, paymentId, ZERO_32 } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import type { PaymentProgress, PaymentRecord, StoreWrite } from '../core/records.ts';
import { addressNumber, bytesNumber, channelNumber, terminalNumber } from '../testing/names.ts';
import { FakeTerminal } from '../testing/terminal.ts';
import { MemoryStore } from './memory.ts';
import { SqliteStore } from './sqlite.ts';
import type { HubStore } from './store.ts';

const owner = { chainId: 31337n, contract: addressNumber(1), genesisHash: bytesNumber(2) };
const nowMs = 1_700_000_000_000;
const opened: HubStore[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function freshPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'baro-store-'));
  folders.push(folder);
  return join(folder, 'hub.sqlite');
}

async function sqlite(path = freshPath(), of = owner): Promise<SqliteStore> {
  const store = await SqliteStore.open(path, of);
  opened.push(store);
  return store;
}

/** Each opens a store and gives a way to see what a second start would find. */
const makers: [string, () => Promise<{ store: HubStore; again: () => Promise<HubStore> }>][] = [
  [
    'memory',
    () => {
      const store = new MemoryStore();
      return Promise.resolve({ store, again: () => Promise.resolve(store) });
    },
  ],
  [
    'sqlite',
    async () => {
      const path = freshPath();
      const store = await sqlite(path);
      const again = async (): Promise<HubStore> => {
        await store.close();
        opened.splice(opened.indexOf(store), 1);
        return sqlite(path);
      };
      return { store, again };
    },
  ],
];

const party = (number: number) => terminalNumber(number);
const identity = {
  partyA: party(1),
  partyB: party(2),
  payoutA: party(3),
  payoutB: party(4),
  token: NATIVE,
  challengePeriod: 3600,
  salt: `0x${'07'.repeat(16)}` as never,
};
const mac = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

function payment(number: number, over: Partial<PaymentRecord> = {}): PaymentRecord {
  const expiry = nowMs / 1000 + 60;
  return {
    paymentId: paymentId(bytesNumber(number)),
    state: 'preparing',
    code: '',
    message: '',
    evidence: null,
    rejectedBy: null,
    atMs: nowMs,
    order: {
      orderId: bytesNumber(1000 + number),
      payer: party(1),
      payee: party(2),
      token: NATIVE,
      amount: MAX_AMOUNT,
      maxFee: 2n ** 60n + 1n,
      invoice: ZERO_32,
      expiry,
    },
    attempt: 3,
    terms: {
      nonce: identity.salt,
      invoice: ZERO_32,
      expiry,
      transfers: [{ channelId: channelNumber(1), payer: party(1), payee: party(2), token: NATIVE, amount: MAX_AMOUNT }],
    },
    participants: [party(1), party(2)],
    fee: 2n ** 70n + 1n,
    begunMs: nowMs,
    ...over,
  };
}

const moved = (number: number, over: Partial<PaymentProgress>): StoreWrite => ({
  kind: 'paymentMoved',
  progress: {
    paymentId: paymentId(bytesNumber(number)),
    state: 'updating',
    code: '',
    message: '',
    evidence: null,
    rejectedBy: null,
    atMs: nowMs + 5,
    ...over,
  },
});

describe.each(makers)('the %s store', (_name, make) => {
  test('starts empty', async () => {
    const { store } = await make();
    expect(await store.load(nowMs)).toEqual({ channels: [], terminals: [], payments: [], cursor: null });
    expect(await store.payments({ limit: 10, before: null })).toEqual([]);
  });

  test('keeps channels with their deposits to the last digit, until they are settled', async () => {
    const { store, again } = await make();
    const channelId = channelNumber(1);
    await store.commit([
      { kind: 'channelOpened', channelId, identity },
      { kind: 'deposited', channelId, side: 'A', total: 5n },
      { kind: 'deposited', channelId, side: 'A', total: MAX_AMOUNT },
      { kind: 'deposited', channelId, side: 'B', total: 2n ** 53n + 1n },
      { kind: 'channelOpened', channelId, identity },
      { kind: 'channelOpened', channelId: channelNumber(2), identity },
    ]);
    const settled: StoreWrite = { kind: 'channelSettled', channelId: channelNumber(2), creditA: 1n, creditB: 2n };
    await store.commit([settled]);
    const { channels } = await (await again()).load(nowMs);
    expect(channels).toEqual([{ channelId, identity, depositA: MAX_AMOUNT, depositB: 2n ** 53n + 1n }]);
  });

  test('keeps the latest of what a terminal said of itself', async () => {
    const { store, again } = await make();
    const { introduction, profile } = new FakeTerminal(party(1), () => paymentId(ZERO_32));
    await store.commit([
      { kind: 'terminalKnown', terminal: { introduction, profile: { ...profile, name: 'before' } } },
    ]);
    await store.commit([{ kind: 'terminalKnown', terminal: { introduction, profile } }]);
    expect((await (await again()).load(nowMs)).terminals).toEqual([{ introduction, profile }]);
  });

  test('keeps the chain’s cursor', async () => {
    const { store, again } = await make();
    await store.commit([{ kind: 'chainRead', cursor: { nextBlock: 7, anchor: null } }]);
    const cursor = { nextBlock: 9, anchor: { blockNumber: 8, blockHash: bytesNumber(8) } };
    await store.commit([{ kind: 'chainRead', cursor }]);
    expect((await (await again()).load(nowMs)).cursor).toEqual(cursor);
  });

  test('keeps a payment with every decision and the evidence that carries it', async () => {
    const { store, again } = await make();
    await store.commit([{ kind: 'paymentBegun', payment: payment(1) }, moved(1, { evidence: [mac(1), mac(2)] })]);
    const aborting = { state: 'aborting', code: 'EXPIRED', message: 'words', rejectedBy: party(2) } as const;
    await store.commit([{ kind: 'paymentBegun', payment: payment(2) }, moved(2, aborting)]);
    const { payments } = await (await again()).load(nowMs);
    expect(payments).toEqual([
      { ...payment(1), state: 'updating', evidence: [mac(1), mac(2)], atMs: nowMs + 5 },
      { ...payment(2), ...aborting, atMs: nowMs + 5 },
    ]);
  });

  test('begins a payment once, however often it is told', async () => {
    const { store } = await make();
    await store.commit([{ kind: 'paymentBegun', payment: payment(1) }, moved(1, { state: 'complete' })]);
    await store.commit([{ kind: 'paymentBegun', payment: payment(1) }]);
    expect((await store.load(nowMs)).payments.map((each) => each.state)).toEqual(['complete']);
  });

  test('loads what is unfinished whenever it expired, and what is over until it expires', async () => {
    const { store } = await make();
    await store.commit([
      { kind: 'paymentBegun', payment: payment(1) },
      { kind: 'paymentBegun', payment: payment(2) },
      moved(2, { state: 'aborted' }),
    ]);
    expect((await store.load(nowMs)).payments.length).toBe(2);
    expect((await store.load(nowMs + 61_000)).payments.map((each) => each.state)).toEqual(['preparing']);
  });

  test('refuses to move a payment that is not in the log, and the rest of that commit with it', async () => {
    const { store } = await make();
    await expect(store.commit([moved(9, {})])).rejects.toMatchObject({ code: 'FAILED' });
  });

  test('pages through payments, youngest first', async () => {
    const { store } = await make();
    const writes = [1, 2, 3, 4, 5].map((number): StoreWrite => ({ kind: 'paymentBegun', payment: payment(number) }));
    await store.commit(writes);
    const first = await store.payments({ limit: 2, before: null });
    const second = await store.payments({ limit: 9, before: first.at(-1)?.sequence ?? null });
    expect(first.map((each) => each.paymentId)).toEqual([5, 4].map(bytesNumber));
    expect(second.map((each) => each.paymentId)).toEqual([3, 2, 1].map(bytesNumber));
  });

  test('takes commits that were asked for at the same time one after the other', async () => {
    const { store } = await make();
    await Promise.all([1, 2, 3, 4].map((number) => store.commit([{ kind: 'paymentBegun', payment: payment(number) }])));
    expect((await store.payments({ limit: 9, before: null })).length).toBe(4);
  });
});

test('a commit that fails leaves nothing of itself', async () => {
  const store = await sqlite();
  await expect(store.commit([{ kind: 'paymentBegun', payment: payment(1) }, moved(9, {})])).rejects.toThrow();
  expect((await store.load(nowMs)).payments).toEqual([]);
});

test('a database of another contract, chain or genesis is refused in words', async () => {
  const path = freshPath();
  await (await SqliteStore.open(path, owner)).close();
  const others = [
    { ...owner, contract: addressNumber(9) },
    { ...owner, chainId: 1n },
    { ...owner, genesisHash: bytesNumber(9) },
  ];
  for (const other of others) {
    await expect(SqliteStore.open(path, other)).rejects.toMatchObject({ code: 'OTHER_DEPLOYMENT' });
  }
  await sqlite(path);
});

test('a newer schema, another program’s database and a corrupt file are refused in words', async () => {
  const newer = freshPath();
  await (await SqliteStore.open(newer, owner)).close();
  await rawExec(newer, 'pragma user_version = 99');
  await expect(SqliteStore.open(newer, owner)).rejects.toMatchObject({ code: 'NEWER_SCHEMA' });
  const foreign = freshPath();
  await rawExec(foreign, 'create table other (x)');
  await expect(SqliteStore.open(foreign, owner)).rejects.toMatchObject({ code: 'NOT_A_HUB_DATABASE' });
  const corrupt = freshPath();
  writeFileSync(corrupt, 'this is no database, but long enough to be taken for the header of one '.repeat(80));
  await expect(SqliteStore.open(corrupt, owner)).rejects.toMatchObject({ code: 'CORRUPT' });
});

test('two hubs cannot share a database', async () => {
  const path = freshPath();
  await sqlite(path);
  await expect(SqliteStore.open(path, owner)).rejects.toMatchObject({ code: 'IN_USE' });
});

function rawExec(path: string, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(path);
    database.exec(sql, (error) => database.close(() => (error ? reject(error) : resolve())));
  });
}
