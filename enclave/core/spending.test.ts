import { describe, expect, it } from 'vitest';
import type { SimulatedEnclave } from '../../simulations/enclaves/simulated-enclave.ts';
import { SimulatedNetwork } from '../../simulations/enclaves/simulated-network.ts';
import { NATIVE, ZERO_32 } from './ids.ts';
import { MAX_PIN_FAILURES } from './limits.ts';

const LIMITS = [{ token: NATIVE, perPayment: 100n, perDay: 250n }];

async function limited(pin: string | null = '1234') {
  const network = await SimulatedNetwork.of(2);
  const hop = await network.open({ a: 0, b: 1 }, { a: 1000n, b: 1000n });
  const { terminal } = network.at(0);
  await terminal.expect('ok', { kind: 'setLimits', limits: LIMITS, pin: null, newPin: pin });
  const payee = network.at(1).identity;
  const order = (amount: bigint, maxFee = 0n) =>
    terminal.run({ kind: 'order', payee, token: NATIVE, amount, maxFee, invoice: ZERO_32, expiry: terminal.now + 60 });
  const direct = (amount: bigint) =>
    terminal.run({ kind: 'direct', channelId: hop.channelId, amount, reference: ZERO_32 });
  return { terminal, order, direct };
}

const lift = (terminal: SimulatedEnclave, pin: string, amount: bigint) =>
  terminal.run({ kind: 'liftLimit', pin, token: NATIVE, amount });

describe('spending limits', () => {
  it('bound one payment with its fees, and all of a day, whichever way it goes', async () => {
    const { terminal, order, direct } = await limited();
    expect(await order(101n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await order(95n, 6n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await direct(101n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await order(90n, 10n)).kind).toBe('order');
    expect((await direct(100n)).kind).toBe('messages');
    expect(await order(51n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await terminal.expect('limits', { kind: 'showLimits' })).toMatchObject({
      today: [{ spent: 200n }],
      hasPin: true,
    });
    await terminal.restart();
    expect(await order(51n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await order(50n)).kind).toBe('order');
    terminal.now += 86_400;
    expect((await order(100n)).kind).toBe('order');
  });

  it('count an order no more that was given up', async () => {
    const { terminal, order } = await limited();
    for (let round = 0; round < 5; round++) {
      const made = await order(100n);
      if (made.kind !== 'order') throw new Error(made.kind);
      await terminal.expect('ok', { kind: 'cancelOrder', orderId: made.order.orderId });
    }
  });

  it('are lifted by the PIN, for one payment, up to the amount given, for five minutes', async () => {
    const { terminal, order } = await limited();
    expect(await lift(terminal, '1234', 500n)).toEqual({ kind: 'ok' });
    expect(await order(501n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await order(500n)).kind).toBe('order');
    expect(await order(500n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await lift(terminal, '1234', 500n);
    terminal.now += 301;
    expect(await order(500n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('are changed with the PIN alone, where there is one', async () => {
    const { terminal } = await limited();
    const change = (pin: string | null) => terminal.run({ kind: 'setLimits', limits: [], pin, newPin: null });
    expect(await change(null)).toMatchObject({ code: 'PIN_NEEDED' });
    expect(await change('4321')).toMatchObject({ code: 'WRONG_PIN' });
    expect(await change('1234')).toEqual({ kind: 'ok' });
  });

  it('stay for good after too many wrong PINs, which neither a restart nor an old copy forgets', async () => {
    const { terminal, order } = await limited();
    const before = [...terminal.records];
    for (let left = MAX_PIN_FAILURES - 1; left >= 0; left--) {
      expect(await lift(terminal, '0000', 1n)).toMatchObject({ code: 'WRONG_PIN' });
      expect((await terminal.expect('limits', { kind: 'showLimits' })).triesLeft).toBe(left);
      await terminal.restart();
    }
    expect(await lift(terminal, '1234', 500n)).toMatchObject({ code: 'PIN_BLOCKED' });
    const { records } = terminal;
    expect(await terminal.restart(before)).toMatchObject({ kind: 'refused', code: 'STALE' });
    await terminal.restart(records);
    expect(await lift(terminal, '1234', 500n)).toMatchObject({ code: 'PIN_BLOCKED' });
    expect(await order(101n)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await order(100n)).kind).toBe('order');
  });

  it('forget earlier mistakes when the right PIN comes', async () => {
    const { terminal } = await limited();
    await lift(terminal, '0000', 1n);
    await lift(terminal, '1234', 1n);
    expect((await terminal.expect('limits', { kind: 'showLimits' })).triesLeft).toBe(MAX_PIN_FAILURES);
  });

  it('refuse a PIN that is too short, two limits of one token, and lifting where no PIN is set', async () => {
    const { terminal } = await limited(null);
    const set = { kind: 'setLimits' as const, limits: LIMITS, pin: null };
    expect(await terminal.run({ ...set, newPin: '123' })).toMatchObject({ code: 'PIN_TOO_SHORT' });
    expect(await terminal.run({ ...set, limits: [...LIMITS, ...LIMITS], newPin: null })).toMatchObject({
      code: 'LIMIT_TWICE',
    });
    expect(await lift(terminal, '1234', 1n)).toMatchObject({ code: 'NO_PIN' });
  });
});
