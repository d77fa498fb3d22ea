import { describe, expect, it } from 'vitest';
import { type PaymentEntry, paymentEntryAnswer } from './answers.ts';
import { COLUMNS, csvHeader, csvRows } from './payment-csv.ts';

const entry = (change: Partial<Record<keyof PaymentEntry, unknown>>): PaymentEntry =>
  paymentEntryAnswer.parse({
    ...{ sequence: 7, revision: 9, kind: 'round', key: '0x01', paymentId: '0x01', channelId: null, role: 'payer' },
    ...{ phase: 'DONE', outcome: null, token: '0x00', amount: '1000000000000000001', fee: '1', payer: '0x0a' },
    ...{ payee: '0x0b', invoice: null, orderId: null, description: '', hops: 3, orderNumber: null, cashier: null },
    ...{ refundOf: null, createdAt: 0, updatedAt: 1_000 },
    ...change,
  });

const cells = (change: Parameters<typeof entry>[0]): Record<string, string> => {
  const values = csvRows([entry(change)])
    .trimEnd()
    .split(',');
  return Object.fromEntries(COLUMNS.map((column, at) => [column.name, values[at] ?? '']));
};

describe('payments as CSV', () => {
  it('have a header of all columns, and as many cells in each row', () => {
    const names = csvHeader().trimEnd().split(',');
    expect(names).toEqual(COLUMNS.map((column) => column.name));
    expect(
      csvRows([entry({})])
        .trimEnd()
        .split(','),
    ).toHaveLength(names.length);
  });

  it('keep amounts exact, negative for what went out', () => {
    expect(cells({})).toMatchObject({ amount_wei: '-1000000000000000001', amount_eth: '-1.000000000000000001' });
    expect(cells({ role: 'payee' })).toMatchObject({ amount_wei: '1000000000000000001', moved: 'yes' });
  });

  it.each([
    [{ phase: 'DONE' }, 'yes'],
    [{ phase: 'ABORTED' }, 'no'],
    [{ phase: 'RESOLVED', outcome: 'APPLIED' }, 'yes'],
    [{ phase: 'RESOLVED', outcome: 'VOID' }, 'no'],
    [{ phase: 'POST-UPDATE' }, 'open'],
  ])('say whether money moved: %o is %s', (change, moved) => {
    expect(cells(change)['moved']).toBe(moved);
  });

  it('quote what others wrote, and let no spreadsheet take it for a formula', () => {
    expect(csvRows([entry({ description: 'tea, "green"\nand more' })])).toContain('"tea, ""green""\nand more"');
    expect(cells({ description: '=HYPERLINK(1)' })['description']).toBe("'=HYPERLINK(1)");
    expect(cells({ orderNumber: '-1' })['order_number']).toBe("'-1");
  });
});
