import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Wallet } from 'ethers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { deployPaymentChannels } from '../contracts/deploy.ts';
import { openRpc } from '../contracts/rpc.ts';
import { identity, NATIVE } from '../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../enclave/core/limits.ts';
import { Terminal } from './terminal.ts';
import type { ChannelEvent, PaymentEvent } from './terminal-types.ts';
import { FORWARDING, type Network, STRICT, startNetwork } from './testing/network.ts';

/** Wallet — router — merchant, one channel each, funded on a real chain. */
let network: Network;
let wallet: Terminal;
let router: Terminal;
let merchant: Terminal;
/** What payers hand to the merchant. */
const handovers: Uint8Array[] = [];
const handoverServer = createServer((request, response) => {
  void (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = new Uint8Array(Buffer.concat(chunks));
    handovers.push(bytes);
    const accepted = await merchant.acceptHandover(bytes).catch(() => null);
    response.writeHead(accepted ? 204 : 409).end();
  })();
});
let handoverUrl: string;

async function connect(opener: Terminal, peer: Terminal, deposit: bigint) {
  const { channelId } = await opener.openChannel({ peer: peer.identity, deposit });
  const view = (await opener.channels()).find((each) => each.channelId === channelId);
  if (!view) throw new Error('the channel is not listed');
  return { channelId, channel: view.channel, ownerA: opener.identity, ownerB: peer.identity };
}

beforeAll(async () => {
  network = await startNetwork();
  await new Promise<void>((resolve) => handoverServer.listen(0, '127.0.0.1', resolve));
  handoverUrl = `http://127.0.0.1:${(handoverServer.address() as AddressInfo).port}/handover`;
  wallet = await network.start('wallet', 0);
  router = await network.start('router', 1, { policy: FORWARDING });
  merchant = await network.start('merchant', 2, { policy: STRICT, handoverUrl });
  network.board.route = [await connect(wallet, router, 1_000_000n), await connect(router, merchant, 1_000_000n)];
});

afterEach(() => {
  network.board.withhold = () => false;
});

afterAll(async () => {
  handoverServer.close();
  await network.stop();
});

const once = (terminal: Terminal, isIt: (event: PaymentEvent) => boolean): Promise<PaymentEvent> =>
  new Promise((resolve) => {
    const off = terminal.on('payment', (event) => {
      if (!isIt(event)) return;
      off();
      resolve(event);
    });
  });
const onceChannel = (terminal: Terminal, kind: ChannelEvent['kind']): Promise<ChannelEvent> =>
  new Promise((resolve) => {
    const off = terminal.on('channel', (event) => {
      if (event.kind !== kind) return;
      off();
      resolve(event);
    });
  });

async function payOnce(amount = 100n) {
  const { text } = await merchant.invoice({ amount });
  const done = once(merchant, (event) => event.payment.phase === 'DONE');
  const result = await wallet.pay({ invoice: text });
  expect(result.status).toBe('complete');
  await done;
  return result;
}

describe('terminals over a hub and a chain', () => {
  it('pay over two channels: the payer pays amount and fee, each on its own enclave’s word', async () => {
    const before = await Promise.all(
      [wallet, router, merchant].map(async (each) => (await each.balance())[0]?.spendable),
    );
    const invoice = await merchant.invoice({ amount: 1_000n, description: 'two coffees' });
    const seen: string[] = [];
    const done = once(merchant, (event) => event.payment.phase === 'DONE');
    const result = await wallet.pay(
      { invoice: invoice.text },
      { onPhase: (phase) => phase.source === 'enclave' && seen.push(phase.phase) },
    );
    expect(result).toMatchObject({ status: 'complete', amount: 1_000n, fee: 5n, hops: 2, reason: null });
    expect(seen).toEqual(['ORDERED', 'PRE-UPDATE', 'POST-UPDATE', 'DONE']);
    expect((await done).payment).toMatchObject({ role: 'payee', amount: 1_000n, invoice: invoice.hash });
    const after = await Promise.all(
      [wallet, router, merchant].map(async (each) => (await each.balance())[0]?.spendable),
    );
    const change = after.map((each, index) => (each ?? 0n) - (before[index] ?? 0n));
    expect(change).toEqual([-1_005n, 5n, 1_000n]);
  });

  it('learn what a payment would take before paying it, of an amount and of an invoice', async () => {
    const quote = await wallet.quote({ payee: merchant.identity, amount: 200n });
    expect(quote).toEqual({ hops: 2, fee: 5n, expectedMs: 5 });
    const { text } = await merchant.invoice({ amount: 200n });
    expect(await wallet.quote({ invoice: text })).toEqual(quote);
    await expect(wallet.quote({ payee: wallet.identity, amount: 0n })).rejects.toMatchObject({
      code: 'AMOUNT_OUT_OF_RANGE',
    });
    const nobody = identity(`0x${'77'.repeat(20)}`);
    await expect(wallet.quote({ payee: nobody, amount: 1n })).rejects.toMatchObject({ code: 'UNKNOWN_PAYEE' });
    await expect(wallet.quote({ invoice: 'baro:nonsense' })).rejects.toMatchObject({ code: 'INVOICE_MALFORMED' });
  });

  it('list what they paid, received and forwarded, with the invoice’s words', async () => {
    const { paymentId } = await payOnce(321n);
    const [paid] = await wallet.payments({ limit: 1 });
    expect(paid).toMatchObject({ paymentId, role: 'payer', phase: 'DONE', amount: 326n, fee: 5n, hops: 2 });
    const [received] = await merchant.payments({ limit: 1 });
    expect(received).toMatchObject({ paymentId, role: 'payee', phase: 'DONE', amount: 321n, payer: wallet.identity });
    const older = await wallet.payments({ limit: 10, before: paid?.sequence ?? 0 });
    expect(older.map((entry) => entry.description)).toContain('two coffees');
  });

  it.each([
    ['zero', 0n],
    ['2^128', MAX_AMOUNT + 1n],
  ])('refuse an amount of %s and then pay over the same channels', async (_, amount) => {
    await expect(wallet.pay({ payee: merchant.identity, amount })).rejects.toMatchObject({
      code: 'AMOUNT_OUT_OF_RANGE',
    });
    await expect(merchant.invoice({ amount: 0n })).rejects.toMatchObject({ code: 'AMOUNT_OUT_OF_RANGE' });
    await payOnce();
  });

  it('refuse more than there is, also just one unit more, and then pay', async () => {
    const [balance] = await wallet.balance();
    const amount = (balance?.spendable ?? 0n) + 1n;
    await expect(wallet.pay({ payee: merchant.identity, amount })).rejects.toMatchObject({
      code: 'NOT_ENOUGH_BALANCE',
    });
    await expect(wallet.pay({ payee: merchant.identity, amount: MAX_AMOUNT })).rejects.toMatchObject({
      code: 'NOT_ENOUGH_BALANCE',
    });
    await payOnce();
  });

  it('tell in the hub’s words that a payee is unknown or no route exists, give the order up, and then pay', async () => {
    const nobody = identity(`0x${'77'.repeat(20)}`);
    await expect(wallet.pay({ payee: nobody, amount: 5n })).rejects.toMatchObject({ code: 'UNKNOWN_PAYEE' });
    const { route } = network.board;
    network.board.route = [];
    await expect(wallet.pay({ payee: merchant.identity, amount: 5n })).rejects.toMatchObject({ code: 'NO_ROUTE' });
    network.board.route = route;
    await payOnce();
  });

  it('end as aborted, with nothing locked, what the payee does not take, and then pay', async () => {
    const result = await wallet.pay({ payee: merchant.identity, amount: 5n });
    expect(result).toMatchObject({ status: 'aborted', fee: 0n, reason: { code: 'NOT_ACCEPTING' } });
    expect((await wallet.balance())[0]?.pendingOut).toBe(0n);
    await payOnce();
  });

  it('refuse an invoice that expired, was changed, or is paid to themselves, and then pay', async () => {
    const { text } = await merchant.invoice({ amount: 5n, expiresInS: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await expect(wallet.pay({ invoice: text })).rejects.toMatchObject({ code: 'INVOICE_EXPIRED' });
    const changed = `${text.slice(0, -20)}${text.at(-20) === 'A' ? 'B' : 'A'}${text.slice(-19)}`;
    await expect(wallet.pay({ invoice: changed })).rejects.toMatchObject({
      code: expect.stringMatching(/^INVOICE_/) as string,
    });
    const own = await wallet.invoice({ amount: 5n });
    await expect(wallet.pay({ invoice: own.text })).rejects.toMatchObject({ code: 'PAYS_ITSELF' });
    await payOnce();
  });

  it('complete at the payee by the payer’s evidence where the hub tells the payee nothing', async () => {
    network.board.withhold = (to, step) => to === merchant.identity && step.kind === 'complete';
    await payOnce(77n);
    expect(handovers.at(-1)).toBeInstanceOf(Uint8Array);
  });

  it('refuse forged evidence of completion and change nothing', async () => {
    const forged = handovers.at(-1)?.slice() ?? new Uint8Array();
    await expect(merchant.acceptHandover(forged.subarray(1))).rejects.toMatchObject({ code: 'HANDOVER_MALFORMED' });
    forged[5] = (forged[5] ?? 0) ^ 1;
    await expect(merchant.acceptHandover(forged)).rejects.toMatchObject({ code: 'UNKNOWN_PAYMENT' });
    await payOnce();
  });

  it('pay a neighbour directly, and count it as paid when the neighbour’s enclave acknowledged it', async () => {
    const [channel] = network.board.route;
    if (!channel) throw new Error('no channel');
    const received = onceChannel(router, 'directReceived');
    const acknowledged = onceChannel(wallet, 'directAcknowledged');
    const { sequence } = await wallet.payDirect({ channelId: channel.channelId, amount: 40n });
    expect(await received).toMatchObject({ sequence, amount: 40n });
    await acknowledged;
    const [entry] = await wallet.payments({ limit: 1 });
    expect(entry).toMatchObject({ kind: 'direct', amount: 40n, payee: router.identity });
  });

  it('come back after the hub hung up, and after a malformed frame, and then pay', async () => {
    for (const disturb of [
      () => network.board.hangUp(),
      () => network.board.sendRaw(wallet.identity, new Uint8Array([1, 0, 0, 0, 1, 99])),
    ]) {
      const offline = new Promise((resolve) => wallet.once('link', resolve));
      disturb();
      await offline;
      while (network.board.guests.size < 3) await new Promise((resolve) => setTimeout(resolve, 20));
      await payOnce();
    }
  });

  it('say at once whose directory it is when they are started twice, and which chain is the wrong one', async () => {
    await expect(Terminal.start(network.options('twin', 0))).rejects.toMatchObject({ code: 'DATA_IN_USE' });
    await expect(Terminal.start(network.options('lost', 5, { chainId: 5n }))).rejects.toMatchObject({
      code: 'WRONG_CHAIN',
    });
    await payOnce();
  });

  it('keep their names short, and say so', async () => {
    await expect(Terminal.start(network.options('ü'.repeat(33), 5))).rejects.toMatchObject({ code: 'NAME_TOO_LONG' });
  });

  it('tell why the hub refused the session, stay usable on their own, and pay when it takes them', async () => {
    network.board.refuse = { code: 'ATTESTATION_REFUSED', message: 'The measurement is not accepted. Update.' };
    await wallet.stop();
    wallet = await network.start('wallet', 0);
    expect(wallet.online).toBe(false);
    const { text } = await merchant.invoice({ amount: 5n });
    await expect(wallet.pay({ invoice: text })).rejects.toMatchObject({ code: 'ATTESTATION_REFUSED' });
    expect((await wallet.balance())[0]?.spendable).toBeGreaterThan(0n);
    const online = new Promise((resolve) => wallet.once('link', resolve));
    network.board.refuse = null;
    await online;
    await payOnce();
  });

  it('refuse to be started for another contract than they were made for', async () => {
    await wallet.stop();
    const provider = await openRpc({ url: network.chain.url });
    const signer = new Wallet(network.chain.accounts[8]?.privateKey ?? '').connect(provider);
    const other = await deployPaymentChannels(signer);
    provider.destroy();
    await expect(Terminal.start(network.options('wallet', 0, { contract: other.address }))).rejects.toMatchObject({
      code: 'WRONG_DEPLOYMENT',
    });
    wallet = await network.start('wallet', 0);
    await payOnce();
  });

  it('are the same after a restart: identity, channels, history, and the next payment', async () => {
    const before = { id: wallet.identity, channels: await wallet.channels(), history: await wallet.payments() };
    await wallet.stop();
    wallet = await network.start('wallet', 0);
    expect(wallet.online).toBe(true);
    expect(wallet.identity).toBe(before.id);
    expect(await wallet.channels()).toEqual(before.channels);
    expect(await wallet.payments()).toEqual(before.history);
    await payOnce();
  });

  it('start and answer while the hub is gone, refuse to pay, and pay when it is there', async () => {
    await wallet.stop();
    wallet = await network.start('wallet', 0, { hubUrl: 'ws://127.0.0.1:9', hubWaitMs: 300 });
    expect(wallet.online).toBe(false);
    expect((await wallet.balance())[0]?.spendable).toBeGreaterThan(0n);
    const { text } = await merchant.invoice({ amount: 5n });
    await expect(wallet.pay({ invoice: text })).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    await wallet.stop();
    wallet = await network.start('wallet', 0);
    await payOnce();
  });

  it('start while the chain is gone, say so, and pay all the same', async () => {
    await wallet.stop();
    wallet = await network.start('wallet', 0, { rpcUrl: 'http://127.0.0.1:9' });
    expect((await wallet.balance())[0]).toMatchObject({ withdrawable: null, onChain: null });
    await payOnce();
    const [channel] = network.board.route;
    if (!channel) throw new Error('no channel');
    await expect(wallet.closeChannel({ channelId: channel.channelId })).rejects.toMatchObject({
      code: 'RPC_UNREACHABLE',
    });
    await payOnce();
    await wallet.stop();
    wallet = await network.start('wallet', 0);
  });

  it('deposit more, which counts once the peer’s enclave has seen it', async () => {
    const [channel] = network.board.route;
    if (!channel) throw new Error('no channel');
    const { total } = await wallet.deposit({ channelId: channel.channelId, amount: 500n });
    expect(total).toBe(1_000_500n);
    const view = (await wallet.channels()).find((each) => each.channelId === channel.channelId);
    expect(view?.ownDeposit).toBe(1_000_500n);
    await expect(wallet.deposit({ channelId: channel.channelId, amount: 0n })).rejects.toMatchObject({
      code: 'AMOUNT_OUT_OF_RANGE',
    });
    await payOnce();
  });

  it('get free by a recorded outcome, each by the consent of whoever would lose by a lie', async () => {
    network.board.withhold = (_, step) => step.kind === 'update';
    const { text } = await merchant.invoice({ amount: 60n });
    const locked = once(wallet, (event) => event.payment.phase === 'PRE-UPDATE');
    const paying = wallet.pay({ invoice: text });
    const { payment } = await locked;
    const freed = [router, merchant].map((each) => once(each, (event) => event.payment.phase === 'RESOLVED'));
    const { outcome } = await wallet.recordOutcome({ paymentId: payment.paymentId });
    expect(outcome).toBe('VOID');
    expect(await paying).toMatchObject({ status: 'void', fee: 0n });
    await Promise.all(freed);
    for (const terminal of [wallet, router, merchant]) {
      expect((await terminal.balance())[0]).toMatchObject({ pendingIn: 0n, pendingOut: 0n });
    }
    network.board.withhold = () => false;
    await payOnce();
  });

  it('refuse to propose to whom nobody knows, and open a channel on an address of its own', async () => {
    const nobody = identity(`0x${'78'.repeat(20)}`);
    await expect(wallet.openChannel({ peer: nobody, deposit: 10n })).rejects.toMatchObject({ code: 'UNKNOWN_PEER' });
    const phases: string[] = [];
    const { channelId } = await wallet.openChannel({
      peer: merchant.identity,
      deposit: 10n,
      virtual: true,
      onPhase: (phase) => phases.push(phase),
    });
    expect(phases).toEqual(['lookup', 'proposed', 'agreed', 'transaction', 'mined', 'confirmed']);
    const view = (await wallet.channels()).find((each) => each.channelId === channelId);
    expect(view?.channel.partyA).not.toBe(wallet.identity);
    expect(view).toMatchObject({ agreed: true, ownDeposit: 10n, peer: merchant.identity });
  });

  it('leave a channel while a payment is pending there; the others follow its outcome', async () => {
    network.board.withhold = (_, step) => step.kind === 'update';
    const { text } = await merchant.invoice({ amount: 60n });
    const locked = once(wallet, (event) => event.payment.phase === 'PRE-UPDATE');
    const paying = wallet.pay({ invoice: text });
    await locked;
    const [channel] = network.board.route;
    if (!channel) throw new Error('no channel');
    await expect(wallet.closeChannel({ channelId: channel.channelId })).rejects.toMatchObject({
      code: 'PAYMENTS_PENDING',
    });
    const settled = onceChannel(router, 'settled');
    const freed = once(merchant, (event) => event.payment.phase === 'RESOLVED');
    const { creditA, creditB } = await wallet.ejectChannel({ channelId: channel.channelId });
    expect(creditA + creditB).toBe(1_000_500n);
    expect(await settled).toMatchObject({ creditA, creditB });
    await freed;
    expect(await paying).toMatchObject({ status: 'void' });
  });

  it('close a channel together and withdraw exactly the credit, once', async () => {
    const [, channel] = network.board.route;
    if (!channel) throw new Error('no channel');
    const followed = onceChannel(router, 'settled');
    const { creditA, creditB } = await merchant.closeChannel({ channelId: channel.channelId });
    expect(creditA + creditB).toBe(1_000_000n);
    await followed;
    const [balance] = await merchant.balance();
    expect(balance).toMatchObject({ token: NATIVE, withdrawable: creditB });
    expect(await merchant.withdraw()).toMatchObject({ amount: creditB });
    expect(await merchant.withdraw()).toBeNull();
  });
});
