import { describe, expect, it } from 'vitest';
import type { PayAnswer } from './answers.ts';
import { paymentLines, phaseLine } from './payment-text.ts';
import { picture } from './scenario.ts';
import { table } from './table.ts';

const paid: PayAnswer = {
  paymentId: `0x${'ab'.repeat(32)}`,
  orderId: `0x${'cd'.repeat(32)}`,
  status: 'complete',
  amount: 10n ** 16n,
  fee: 2_000_000n,
  hops: 3,
  ms: 12.34,
  phases: [],
  reason: null,
};

describe('what a payer reads', () => {
  it('has the protocol’s words for each step, and its time', () => {
    expect(phaseLine({ source: 'enclave', phase: 'PRE-UPDATE', ms: 3.21 })).toBe(
      '     3.2 ms  PREPARE   amount locked here',
    );
    expect(phaseLine({ source: 'enclave', phase: 'DONE', ms: 9 })).toContain('COMPLETE  final here');
  });

  it('says why the hub gave up, and what it does not know by heart', () => {
    const failed = { source: 'hub', phase: 'failed', ms: 1, code: 'NO_ROUTE', message: 'no route has 5 wei' } as const;
    expect(phaseLine(failed)).toContain('FAILED    the hub gave up (no route has 5 wei)');
    expect(phaseLine({ source: 'hub', phase: 'new-state', ms: 1 })).toContain('hub: new-state');
  });

  it('ends with amount, hops, time and fee, or with the reason', () => {
    expect(paymentLines(paid)[0]).toBe(
      'Paid 0.01 ETH (10000000000000000 wei) over 3 hops in 12.3 ms; fee 2000000 wei.',
    );
    expect(paymentLines({ ...paid, hops: 1 })[0]).toContain('over 1 hop in');
    const reason = { code: 'NOT_ENOUGH_BALANCE', message: 'The second channel ran dry.' };
    expect(paymentLines({ ...paid, status: 'aborted', reason })[0]).toBe(
      'Not paid: nothing moved. The second channel ran dry. (NOT_ENOUGH_BALANCE)',
    );
  });
});

describe('picture', () => {
  it('shows the hub above the route it drives', () => {
    expect(picture([{ name: 'wallet' }, { name: 'ann' }, { name: 'ben' }, { name: 'merchant' }])).toEqual([
      '         ┌───────────┬─── hub ──┬─────────────┐',
      '    [ wallet ] ══ [ ann ] ══ [ ben ] ══ [ merchant ]',
      '    ══ a channel, opened and funded on chain',
    ]);
  });
});

describe('table', () => {
  it('aligns texts to the left and numbers to the right', () => {
    const columns = [
      { title: 'name', cell: (row: { name: string; of: number }) => row.name },
      { title: 'of', cell: (row: { of: number }) => String(row.of), right: true },
    ];
    expect(
      table(
        [
          { name: 'long name', of: 5 },
          { name: 'x', of: 1000 },
        ],
        columns,
      ),
    ).toEqual(['name         of', 'long name     5', 'x          1000']);
  });
});
