import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytes32, type PaymentId } from '../enclave/core/ids.ts';
import type { PaymentHistoryEntry } from './journal/journal.ts';
import type { Terminal } from './terminal.ts';
import { FORWARDING, type Network, PLAIN, STRICT, startNetwork } from './testing/network.ts';

/** Wallet — router — merchant, one channel each, funded on a real chain. */
let network: Network;
let wallet: Terminal;
let router: Terminal;
let merchant: Terminal;

async function connect(opener: Terminal, peer: Terminal) {
  const { channelId } = await opener.openChannel({ peer: peer.identity, deposit: 1_000_000n });
  const view = (await opener.channels()).find((each) => each.channelId === channelId);
  if (!view) throw new Error('the channel is not listed');
  return { channelId, channel: view.channel, ownerA: opener.identity, ownerB: peer.identity };
}

beforeAll(async () => {
  network = await startNetwork();
  wallet = await network.start('wallet', 0, { policy: PLAIN });
  router = await network.start('router', 1, { policy: FORWARDING });
  merchant = await network.start('merchant', 2, { policy: STRICT });
  network.board.route = [await connect(wallet, router), await connect(router, merchant)];
});
afterAll(() => network.stop());

const never = new AbortController().signal;
/** Pays an invoice, and resolves when the merchant's own enclave is DONE. */
async function sell(amount: bigint, more: { orderNumber?: string; again?: boolean } = {}) {
  const invoice = await merchant.invoice({ amount, ...more });
  const ended = merchant.invoices.ended({ hash: invoice.hash }, never);
  const { paymentId } = await wallet.pay({ invoice: invoice.text });
  expect(await ended).toMatchObject({ status: 'paid', paymentId });
  return { paymentId, hash: invoice.hash };
}

describe('an invoice', () => {
  it('is waited for until the own enclave has it as paid, and shown with its order number', async () => {
    const { paymentId } = await sell(500n, { orderNumber: 'A-1' });
    expect(await merchant.invoices.find({ orderNumber: 'A-1' })).toMatchObject({ status: 'paid', paymentId });
    expect((await merchant.history.find({ key: paymentId })).entry).toMatchObject({ orderNumber: 'A-1', amount: 500n });
    const [newest] = await merchant.invoices.list({ limit: 1 });
    expect(newest).toMatchObject({ orderNumber: 'A-1', status: 'paid' });
  });

  it('has an order number that no other has, unless a second one is meant', async () => {
    await merchant.invoice({ amount: 5n, orderNumber: 'B-1' });
    const twice = Promise.all([
      merchant.invoice({ amount: 5n, orderNumber: 'B-2' }),
      merchant.invoice({ amount: 5n, orderNumber: 'B-2' }),
    ]);
    await expect(twice).rejects.toMatchObject({ code: 'ORDER_NUMBER_IN_USE' });
    await expect(merchant.invoice({ amount: 5n, orderNumber: 'B-1' })).rejects.toThrow(/it is open/);
    const second = await merchant.invoice({ amount: 6n, orderNumber: 'B-1', again: true });
    expect((await merchant.invoices.find({ orderNumber: 'B-1' })).hash).toBe(second.hash);
    const long = merchant.invoice({ amount: 5n, orderNumber: 'x'.repeat(65) });
    await expect(long).rejects.toMatchObject({ code: 'ORDER_NUMBER_TOO_LONG' });
  });

  it('is ended by being cancelled, and cannot be paid afterwards', async () => {
    const { hash, text } = await merchant.invoice({ amount: 5n });
    const ended = merchant.invoices.ended({ hash }, never);
    expect(await merchant.invoices.cancel({ hash })).toMatchObject({ status: 'cancelled' });
    expect(await ended).toMatchObject({ status: 'cancelled', paymentId: null });
    expect(await merchant.invoices.cancel({ hash })).toMatchObject({ status: 'cancelled' });
    const paid = await wallet.pay({ invoice: text });
    expect(paid).toMatchObject({ status: 'aborted', reason: { code: 'UNKNOWN_INVOICE' } });
  });

  it('is ended by expiring', async () => {
    const { hash } = await merchant.invoice({ amount: 5n, expiresInS: 1 });
    expect(await merchant.invoices.ended({ hash }, never)).toMatchObject({ status: 'expired', paymentId: null });
  });

  it('is not cancelled once it is paid, and one that nobody made is unknown', async () => {
    const { hash } = await sell(7n);
    await expect(merchant.invoices.cancel({ hash })).rejects.toMatchObject({ code: 'INVOICE_PAID' });
    const nobodys = bytes32(`0x${'12'.repeat(32)}`);
    await expect(merchant.invoices.find({ hash: nobodys })).rejects.toMatchObject({ code: 'UNKNOWN_INVOICE' });
  });

  it('says what can be received', async () => {
    const [balance] = await merchant.balance();
    expect((await merchant.invoice({ amount: 10n ** 20n })).receivable).toBe(balance?.receivable);
  });
});

describe('a history', () => {
  it('is followed from a cursor on, across a restart, without losing or repeating an end', async () => {
    const before = (await merchant.history.changes({ after: 0, limit: 1_000 })).at(-1)?.revision ?? 0;
    const first = await sell(11n);
    const seen: PaymentHistoryEntry[] = [];
    const leaving = new AbortController();
    for await (const entry of merchant.history.follow(before, leaving.signal)) {
      seen.push(entry);
      if (entry.phase === 'DONE') leaving.abort();
    }
    expect(seen.at(-1)).toMatchObject({ paymentId: first.paymentId, phase: 'DONE' });
    await merchant.stop();
    merchant = await network.start('merchant', 2, { policy: STRICT });
    const second = await sell(12n);
    const news = await merchant.history.changes({ after: seen.at(-1)?.revision ?? 0 });
    expect(news.map((entry) => [entry.paymentId, entry.phase])).toEqual([[second.paymentId, 'DONE']]);
  });

  it('tells of a locked payment who is waited for, and what both ways out cost', async () => {
    network.board.withhold = (_, step) => step.kind === 'update';
    const { text } = await merchant.invoice({ amount: 60n });
    const atLock = new Promise<PaymentId>((resolve) => {
      const off = merchant.on('payment', ({ payment }) => {
        off();
        resolve(payment.paymentId);
      });
    });
    const paying = wallet.pay({ invoice: text });
    const paymentId = await atLock;
    const { entry, pending } = await merchant.history.find({ key: paymentId });
    expect([entry.phase, pending?.participants.length]).toEqual(['PRE-UPDATE', 3]);
    const channelId = network.board.route[1]?.channelId;
    if (!channelId) throw new Error('no channel');
    const [eject, record] = await Promise.all([merchant.ejectCost({ channelId }), merchant.recordCost()]);
    expect(eject.cost).toBe(eject.gas * eject.gasPrice);
    const { transactionHash } = await wallet.recordOutcome({ paymentId });
    const used = await network.gasUsed(transactionHash);
    expect(Number(used)).toBeLessThanOrEqual(Number(record.gas));
    expect(Number(record.gas)).toBeLessThan(2 * Number(used));
    expect(await paying).toMatchObject({ status: 'void' });
    network.board.withhold = () => false;
  });
});

describe('a refund', () => {
  const turn = (): void => {
    network.board.route.reverse();
  };

  it('names what it gives back, and never gives back more than was received', async () => {
    const { paymentId } = await sell(1_000n);
    const tooMuch = merchant.refund({ paymentId, amount: 1_001n });
    await expect(tooMuch).rejects.toMatchObject({ code: 'REFUND_TOO_LARGE' });
    turn();
    const part = await merchant.refund({ paymentId, amount: 300n });
    expect(part).toMatchObject({ status: 'complete', amount: 300n });
    const rest = await merchant.refund({ paymentId });
    expect(rest).toMatchObject({ status: 'complete', amount: 700n });
    await expect(merchant.refund({ paymentId })).rejects.toMatchObject({ code: 'ALREADY_REFUNDED' });
    turn();
    const { refunds } = await merchant.history.find({ key: paymentId });
    expect(refunds.map((each) => [each.paymentId, each.refundOf, each.amount - (each.fee ?? 0n)])).toEqual([
      [part.paymentId, paymentId, 300n],
      [rest.paymentId, paymentId, 700n],
    ]);
  });

  it('is made once, however often and at how many places it is asked for', async () => {
    const { paymentId } = await sell(400n);
    turn();
    const both = await Promise.allSettled([merchant.refund({ paymentId }), merchant.refund({ paymentId })]);
    turn();
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await merchant.history.find({ key: paymentId })).refunds).toMatchObject([{ phase: 'DONE' }]);
  });

  it('is for what was received here', async () => {
    const { paymentId } = await sell(20n);
    await expect(wallet.refund({ paymentId })).rejects.toMatchObject({ code: 'NOT_RECEIVED' });
    await expect(router.refund({ paymentId })).rejects.toMatchObject({ code: 'NOT_RECEIVED' });
  });
});

describe('leaving', () => {
  it('costs about what was said before anything was signed', async () => {
    const channelId = network.board.route[1]?.channelId;
    if (!channelId) throw new Error('no channel');
    const { gas } = await merchant.ejectCost({ channelId });
    const { transactionHash } = await merchant.ejectChannel({ channelId });
    const used = await network.gasUsed(transactionHash);
    expect(Number(used)).toBeLessThanOrEqual(Number(gas));
    expect(Number(gas)).toBeLessThan(2 * Number(used));
  });
});
