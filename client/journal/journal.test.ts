/** One conformance suite for every journal: what SQLite does, the memory version does. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { bytes32, channelId, identity, NATIVE, paymentId } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import { Database } from '../database.ts';
import type { InvoiceSaved, Journal, OrderEntry, OrderOutcome, PaymentSaved } from './journal.ts';
import { MemoryJournal } from './memory-journal.ts';
import { SqliteJournal } from './sqlite-journal.ts';

const word = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;
const name = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(20)}`;

const payment = (number: number, change: Partial<PaymentSaved> = {}): PaymentSaved => ({
  kind: 'round',
  key: word(number),
  paymentId: paymentId(word(number)),
  channelId: null,
  role: 'payer',
  phase: 'PRE-UPDATE',
  outcome: null,
  token: NATIVE,
  amount: 1_000n + BigInt(number),
  fee: null,
  payer: identity(name(1)),
  payee: identity(name(2)),
  invoice: null,
  orderId: bytes32(word(9)),
  description: "coffee, «ünïcode» and 'quotes'",
  hops: 3,
  updatedAt: 1_700_000_000_000 + number,
  ...change,
});
const invoice = (number: number, change: Partial<InvoiceSaved> = {}): InvoiceSaved => ({
  ...{ hash: bytes32(word(number)), text: 'baro:AA', token: NATIVE, amount: MAX_AMOUNT, expiry: 1_700_000_000 },
  ...{ description: 'tea', orderNumber: null, cashier: null, createdAt: 1_700_000_000_000 + number },
  ...change,
});
const order = (number: number, change: Partial<OrderEntry> = {}): OrderEntry => ({
  orderId: bytes32(word(number)),
  key: null,
  parameters: '{}',
  order: {
    ...{ orderId: bytes32(word(number)), payer: identity(name(1)), payee: identity(name(2)), token: NATIVE },
    ...{ amount: MAX_AMOUNT, maxFee: 5n, invoice: bytes32(word(0)), expiry: 1_700_000_000 },
  },
  ...{ handoverUrl: null, refundOf: null, outcome: null, createdAt: 9 },
  ...change,
});
const cursorAt = (blockNumber: number) => ({
  blockNumber,
  blockHash: bytes32(word(4)),
  genesisHash: bytes32(word(5)),
});

const directories: string[] = [];
async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'baro-journal-'));
  directories.push(path);
  return path;
}
afterEach(async () => {
  for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true });
});

const journals: Record<string, () => Promise<Journal>> = {
  memory: () => Promise.resolve(new MemoryJournal()),
  sqlite: async () => SqliteJournal.open(join(await directory(), 'journal.sqlite')),
};

describe.each(Object.entries(journals))('a journal in %s', (_, open) => {
  it('lists payments newest first and in pages', async () => {
    const journal = await open();
    await journal.savePayments([payment(1), payment(2)]);
    await journal.savePayments([payment(3)]);
    const first = await journal.payments({ limit: 2, before: null });
    expect(first.map((entry) => entry.amount)).toEqual([1_003n, 1_002n]);
    const second = await journal.payments({ limit: 2, before: first[1]?.sequence ?? 0 });
    expect(second.map((entry) => entry.amount)).toEqual([1_001n]);
    await journal.close();
  });

  it('keeps one entry per payment, with its place and birth, however often its phase is saved', async () => {
    const journal = await open();
    await journal.savePayments([payment(1), payment(2)]);
    await journal.savePayments([
      payment(1, { phase: 'POST-UPDATE', updatedAt: 1_700_000_001_000 }),
      payment(1, { phase: 'DONE', fee: 7n, description: '', updatedAt: 1_700_000_002_000 }),
    ]);
    await journal.savePayments([payment(3)]);
    const [last, ...entries] = await journal.payments({ limit: 10, before: null });
    expect([last?.key, last?.sequence]).toEqual([word(3), 3]);
    expect(entries.map((entry) => entry.key)).toEqual([word(2), word(1)]);
    expect(entries[1]).toEqual({
      ...payment(1, { phase: 'DONE', fee: 7n, updatedAt: 1_700_000_002_000 }),
      sequence: entries[1]?.sequence,
      revision: entries[1]?.revision,
      ...{ orderNumber: null, cashier: null, refundOf: null },
      createdAt: 1_700_000_000_001,
    });
    await journal.close();
  });

  it('keeps amounts to the last unit, up to 2^128 - 1', async () => {
    const journal = await open();
    await journal.savePayments([payment(1, { amount: MAX_AMOUNT, fee: 2n ** 64n + 1n })]);
    await journal.saveProgress({
      cursor: cursorAt(1),
      deposits: [{ channelId: channelId(word(7)), side: 'B', total: MAX_AMOUNT }],
      settled: [],
    });
    const [entry] = await journal.payments({ limit: 1, before: null });
    expect([entry?.amount, entry?.fee]).toEqual([MAX_AMOUNT, 2n ** 64n + 1n]);
    expect(await journal.deposits()).toEqual([{ channelId: word(7), side: 'B', total: MAX_AMOUNT }]);
    await journal.close();
  });

  it('tells what changed since a revision, each payment once and as it is now', async () => {
    const journal = await open();
    await journal.savePayments([payment(1), payment(2), payment(3)]);
    expect(await journal.newestRevision()).toBe(3);
    const seen = await journal.changes({ after: 0, limit: 2 });
    expect(seen.map((entry) => entry.key)).toEqual([word(1), word(2)]);
    await journal.savePayments([payment(2, { phase: 'POST-UPDATE' }), payment(1, { phase: 'DONE' })]);
    const after = seen.at(-1)?.revision ?? 0;
    const news = await journal.changes({ after, limit: 10 });
    expect(news.map((entry) => `${entry.key.slice(0, 4)} ${entry.phase}`)).toEqual([
      '0x03 PRE-UPDATE',
      '0x02 POST-UPDATE',
      '0x01 DONE',
    ]);
    expect(await journal.changes({ after: news.at(-1)?.revision ?? 0, limit: 10 })).toEqual([]);
    await journal.close();
  });

  it('finds a payment by its key and by its number, and keeps what the chain decided', async () => {
    const journal = await open();
    await journal.savePayments([payment(1), payment(2, { phase: 'RESOLVED', outcome: 'VOID' })]);
    const second = await journal.payment({ key: word(2) });
    expect(second).toMatchObject({ phase: 'RESOLVED', outcome: 'VOID' });
    expect(await journal.payment({ sequence: second?.sequence ?? 0 })).toEqual(second);
    expect(await journal.payment({ key: word(9) })).toBeNull();
    await journal.close();
  });

  it('keeps invoices with the merchant’s own number, and shows it with the payment', async () => {
    const journal = await open();
    await journal.saveInvoice(invoice(1, { orderNumber: 'A-17', cashier: 'till 2' }));
    await journal.saveInvoice(invoice(2));
    await journal.saveInvoice(invoice(3, { orderNumber: 'A-17' }));
    await journal.markCancelled({ hash: bytes32(word(2)), at: 5 });
    expect((await journal.invoices({ limit: 2, before: null })).map((each) => each.hash)).toEqual([word(3), word(2)]);
    expect(await journal.invoice({ hash: bytes32(word(2)) })).toMatchObject({ cancelledAt: 5, amount: MAX_AMOUNT });
    expect(await journal.invoice({ orderNumber: 'A-17' })).toMatchObject({ hash: word(3), cancelledAt: null });
    await journal.savePayments([
      payment(1, { role: 'payee', invoice: bytes32(word(1)) }),
      payment(2, { role: 'payer', invoice: bytes32(word(1)) }),
    ]);
    const [paid, received] = await journal.payments({ limit: 2, before: null });
    expect(received).toMatchObject({ orderNumber: 'A-17', cashier: 'till 2' });
    expect(paid).toMatchObject({ orderNumber: null, cashier: null });
    await journal.close();
  });

  it('finds what consumed an invoice or an order, and what was locked when it was last seen', async () => {
    const journal = await open();
    const invoice = bytes32(word(8));
    await journal.savePayments([
      payment(1, { role: 'payee', invoice, phase: 'ABORTED' }),
      payment(2, { role: 'payee', invoice }),
      payment(3, { orderId: bytes32(word(6)), phase: 'RESOLVED', outcome: 'VOID' }),
      payment(4, { orderId: bytes32(word(6)), phase: 'RESOLVED', outcome: 'APPLIED' }),
    ]);
    expect(await journal.finalPayment({ invoice })).toBeNull();
    expect((await journal.unfinished()).map((each) => each.key)).toEqual([word(2)]);
    await journal.savePayments([payment(2, { role: 'payee', invoice, phase: 'DONE' })]);
    expect(await journal.finalPayment({ invoice })).toMatchObject({ key: word(2) });
    expect(await journal.finalPayment({ orderId: bytes32(word(6)) })).toMatchObject({ key: word(4) });
    expect(await journal.unfinished()).toEqual([]);
    await journal.close();
  });

  it('keeps an order with its key until its outcome is known, and afterwards', async () => {
    const journal = await open();
    await journal.saveOrder(order(1, { key: 'monday' }));
    await journal.saveOrder(order(2, { refundOf: paymentId(word(7)) }));
    expect(await journal.order({ key: 'monday' })).toEqual(order(1, { key: 'monday' }));
    expect((await journal.openOrders()).map((each) => each.orderId)).toEqual([word(1), word(2)]);
    const outcome: OrderOutcome = {
      kind: 'result',
      result: {
        ...{
          paymentId: paymentId(word(3)),
          orderId: bytes32(word(1)),
          status: 'complete',
          amount: MAX_AMOUNT,
          fee: 7n,
        },
        ...{ hops: 3, ms: 5, phases: [], reason: null },
      },
    };
    await journal.saveOutcome({ orderId: bytes32(word(1)), outcome });
    expect((await journal.order({ orderId: bytes32(word(1)) }))?.outcome).toEqual(outcome);
    expect((await journal.openOrders()).map((each) => each.orderId)).toEqual([word(2)]);
    await journal.savePayments([payment(4, { orderId: bytes32(word(2)) }), payment(5)]);
    const refunds = await journal.refundsOf(paymentId(word(7)));
    expect(refunds.map((each) => [each.key, each.refundOf])).toEqual([[word(4), word(7)]]);
    await journal.close();
  });

  it('has no cursor at first and then the last one that was stored', async () => {
    const journal = await open();
    expect(await journal.cursor()).toBeNull();
    await journal.saveProgress({ cursor: cursorAt(5), deposits: [], settled: [] });
    await journal.saveProgress({ cursor: cursorAt(9), deposits: [], settled: [] });
    expect(await journal.cursor()).toEqual(cursorAt(9));
    await journal.close();
  });

  it('forgets the cursor alone when the chain is to be read again', async () => {
    const journal = await open();
    const settled = [channelId(word(8)), channelId(word(7))];
    await journal.saveProgress({ cursor: cursorAt(5), deposits: [], settled });
    await journal.saveProgress({ cursor: cursorAt(6), deposits: [], settled });
    await journal.forgetCursor();
    expect(await journal.cursor()).toBeNull();
    expect(await journal.settlements()).toEqual([word(7), word(8)]);
    await journal.close();
  });

  it('remembers terminals, the most recently seen first', async () => {
    const journal = await open();
    const peer = (number: number, seenAt: number) => ({
      identity: identity(name(number)),
      name: `peer ${number}`,
      payout: identity(name(number + 100)),
      seenAt,
    });
    await journal.savePeer(peer(1, 10));
    await journal.savePeer(peer(2, 20));
    await journal.savePeer({ ...peer(1, 30), name: 'renamed' });
    expect((await journal.peers()).map((known) => known.name)).toEqual(['renamed', 'peer 2']);
    await journal.close();
  });
});

describe('a journal in a file', () => {
  it('is still there after it was closed and opened again', async () => {
    const file = join(await directory(), 'journal.sqlite');
    const before = await SqliteJournal.open(file);
    await before.savePayments([payment(1)]);
    await before.saveProgress({ cursor: cursorAt(3), deposits: [], settled: [] });
    await before.close();
    const after = await SqliteJournal.open(file);
    expect(await after.payments({ limit: 10, before: null })).toHaveLength(1);
    expect(await after.cursor()).toEqual(cursorAt(3));
    await after.close();
  });

  it('is refused in words where the file is something else, and left as it is', async () => {
    const file = join(await directory(), 'journal.sqlite');
    await writeFile(file, 'this has never been a database, and it is long enough to be read as one. '.repeat(20));
    await expect(SqliteJournal.open(file)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });

  it('is refused where a newer version wrote it', async () => {
    const file = join(await directory(), 'journal.sqlite');
    const database = await Database.open(file);
    await database.execute('pragma user_version = 99');
    await database.close();
    await expect(SqliteJournal.open(file)).rejects.toThrow(/newer version/);
  });
});
