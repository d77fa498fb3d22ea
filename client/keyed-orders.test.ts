import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PaymentId } from '../enclave/core/ids.ts';
import type { Terminal } from './terminal.ts';
import { FORWARDING, type Network, PLAIN, startNetwork } from './testing/network.ts';

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
  wallet = await network.start('wallet', 0);
  router = await network.start('router', 1, { policy: FORWARDING });
  merchant = await network.start('merchant', 2, { policy: PLAIN });
  network.board.route = [await connect(wallet, router), await connect(router, merchant)];
});
afterEach(() => {
  network.board.withhold = () => false;
});
afterAll(() => network.stop());

const received = async (): Promise<bigint> => (await merchant.balance())[0]?.spendable ?? 0n;
const locked = (terminal: Terminal): Promise<void> =>
  new Promise((resolve) => {
    const off = terminal.on('payment', ({ payment }) => {
      if (payment.phase !== 'PRE-UPDATE') return;
      off();
      resolve();
    });
  });
const to = (amount: bigint) => ({ payee: merchant.identity, amount });

describe('an order with an idempotency key', () => {
  it('is paid once, and answered with the first outcome whenever it is repeated', async () => {
    const before = await received();
    const first = await wallet.pay(to(100n), { idempotencyKey: 'rent' });
    const again = await wallet.pay(to(100n), { idempotencyKey: 'rent' });
    expect(again).toEqual({ ...first, phases: [] });
    expect(await received()).toBe(before + 100n);
  });

  it('is paid once when it is repeated before the first call is over; both see all that happens', async () => {
    const before = await received();
    const seen: string[][] = [[], []];
    const paid = await Promise.all(
      seen.map((phases) =>
        wallet.pay(to(70n), { idempotencyKey: 'twice', onPhase: ({ phase }) => void phases.push(phase) }),
      ),
    );
    expect(paid[1]).toEqual(paid[0]);
    expect(seen[1]).toEqual(seen[0]);
    expect(await received()).toBe(before + 70n);
  });

  it('is refused for another amount, payee or limit, and nothing is paid', async () => {
    await wallet.pay(to(10n), { idempotencyKey: 'mine' });
    const before = await received();
    for (const [target, options] of [
      [to(11n), {}],
      [{ payee: router.identity, amount: 10n }, {}],
      [to(10n), { maxFee: 7n }],
    ] as const) {
      const repeated = wallet.pay(target, { ...options, idempotencyKey: 'mine' });
      await expect(repeated).rejects.toMatchObject({ code: 'KEY_IN_USE' });
    }
    expect(await received()).toBe(before);
    await expect(wallet.pay(to(1n), { idempotencyKey: '' })).rejects.toMatchObject({ code: 'KEY_MALFORMED' });
  });

  it('leaves its key free where it was refused before an order was made', async () => {
    const tooMuch = wallet.pay(to(10n ** 9n), { idempotencyKey: 'free' });
    await expect(tooMuch).rejects.toMatchObject({ code: 'NOT_ENOUGH_BALANCE' });
    expect(await wallet.pay(to(5n), { idempotencyKey: 'free' })).toMatchObject({ status: 'complete', amount: 5n });
  });

  it('keeps a refusal that came after the order had left', async () => {
    const withoutFee = { idempotencyKey: 'dear', maxFee: 0n };
    await expect(wallet.pay(to(5n), withoutFee)).rejects.toMatchObject({ code: 'FEE_TOO_HIGH' });
    const before = await wallet.payments();
    await expect(wallet.pay(to(5n), withoutFee)).rejects.toMatchObject({ code: 'FEE_TOO_HIGH' });
    expect(await wallet.payments()).toEqual(before);
  });

  it('goes on by itself after its terminal was stopped while it was locked, and tells whoever asks again', async () => {
    const before = await received();
    network.board.withhold = (_, step) => step.kind === 'update';
    const atLock = locked(wallet);
    const paying = wallet.pay(to(33n), { idempotencyKey: 'stopped' });
    const stopped = expect(paying).rejects.toMatchObject({ code: 'STOPPED' });
    await atLock;
    await wallet.stop();
    await stopped;
    network.board.withhold = () => false;
    wallet = await network.start('wallet', 0);
    const repeated = wallet.pay(to(33n), { idempotencyKey: 'stopped' });
    await expect(wallet.pay(to(34n), { idempotencyKey: 'stopped' })).rejects.toMatchObject({ code: 'KEY_IN_USE' });
    const stuck = (await wallet.payments({ limit: 1 }))[0]?.paymentId as PaymentId;
    await wallet.recordOutcome({ paymentId: stuck });
    await expect(repeated).rejects.toMatchObject({ code: 'VOID' });
    await expect(wallet.pay(to(33n), { idempotencyKey: 'stopped' })).rejects.toMatchObject({ code: 'VOID' });
    expect(await received()).toBe(before);
  });
});
