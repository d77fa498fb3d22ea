import { describe, expect, it } from 'vitest';
import { type PaymentDetail, paymentDetailAnswer } from './answers.ts';
import { detailLines } from './payment-detail.ts';

const ID = `0x${'51'.repeat(32)}`;
const entry = {
  ...{ sequence: 7, revision: 9, kind: 'round', key: ID, paymentId: ID, channelId: null, role: 'payee' },
  ...{ phase: 'DONE', outcome: null, token: '0x00', amount: '1000', fee: null, payer: '0x0a', payee: '0x0b' },
  ...{ invoice: null, orderId: null, description: 'tea', hops: 3, orderNumber: 'A-1', cashier: null, refundOf: null },
  ...{ createdAt: 0, updatedAt: 1_000 },
};
const detail = (change: object, more: object = {}): PaymentDetail =>
  paymentDetailAnswer.parse({
    ...{ entry: { ...entry, ...change }, participants: null, frozen: false, waitingFor: null, refunds: [] },
    ...more,
  });
const screen = (of: PaymentDetail): string => detailLines(of).join('\n');
const locked = { participants: ['0x0a', '0x0b', '0x0c'] };

describe('a payment in full', () => {
  it('shows the merchant’s own number, and how to give it back while something is left', () => {
    expect(screen(detail({}))).toMatch(/order +A-1/);
    expect(screen(detail({}))).toContain(`baro refund ${ID}`);
    const given = { ...entry, role: 'payer', amount: '1003', fee: '3', refundOf: ID };
    expect(screen(detail({}, { refunds: [given] }))).not.toContain('baro refund');
    expect(screen(detail({}, { refunds: [{ ...given, phase: 'ABORTED' }] }))).toContain('baro refund');
  });

  it.each([
    ['PRE-UPDATE', 'has VOID written on chain', 'never happened'],
    ['POST-UPDATE', 'has APPLIED written on chain', 'the payment happened'],
  ])('says of one in %s which ways out there are and what they mean', (phase, outcome, effect) => {
    const text = screen(detail({ phase }, locked));
    for (const words of [outcome, effect, `baro payments record ${ID}`, 'baro channel eject', 'wait ']) {
      expect(text).toContain(words);
    }
    expect(text).toContain('proof of the other 2 terminals');
    expect(text).not.toContain('baro refund');
  });

  it('names who is waited for where the hub told, and that it ends on chain where that was signed', () => {
    const text = screen(detail({ phase: 'PRE-UPDATE' }, { ...locked, waitingFor: ['0x0c'], frozen: true }));
    expect(text).toContain('\n  0x0c\n');
    expect(text).toContain('it ends on chain');
  });

  it('says what the chain decided', () => {
    expect(screen(detail({ phase: 'RESOLVED', outcome: 'VOID' }))).toContain('nothing moved');
    expect(screen(detail({ phase: 'RESOLVED', outcome: 'APPLIED' }))).toContain('final');
  });
});
