/** Payments as a spreadsheet: which columns there are, and what stands in them. Amounts are exact in either unit. */

import { stringify } from 'csv-stringify/sync';
import { formatEth } from './amount.ts';
import type { PaymentEntry } from './answers.ts';

interface Column {
  name: string;
  /** For the dictionary in --help. */
  meaning: string;
  cell: (entry: PaymentEntry) => string;
}

const time = (ms: number): string => new Date(ms).toISOString();
const signed = (entry: PaymentEntry): bigint => (entry.role === 'payer' ? -entry.amount : entry.amount);

export const COLUMNS: readonly Column[] = [
  { name: 'number', meaning: 'as in baro payments; ascending', cell: (entry) => String(entry.sequence) },
  { name: 'created', meaning: 'when it was first seen here (UTC, ISO 8601)', cell: (entry) => time(entry.createdAt) },
  { name: 'updated', meaning: 'when its phase changed last (UTC)', cell: (entry) => time(entry.updatedAt) },
  { name: 'role', meaning: 'payer, payee or intermediary: of this terminal', cell: (entry) => entry.role },
  {
    name: 'phase',
    meaning: 'DONE: final. ABORTED: nothing moved. RESOLVED: see outcome. PRE-UPDATE, POST-UPDATE: not over',
    cell: (entry) => entry.phase,
  },
  {
    name: 'outcome',
    meaning: 'what the chain decided: APPLIED or VOID; else empty',
    cell: (entry) => entry.outcome ?? '',
  },
  {
    name: 'moved',
    meaning: 'yes: money moved. no: it did not and will not. open: not over',
    cell: (entry) => movedWord(entry),
  },
  {
    name: 'amount_wei',
    meaning: 'base units, negative for what went out (fees included); counts only where moved is yes',
    cell: (entry) => signed(entry).toString(),
  },
  { name: 'amount_eth', meaning: 'the same in ETH', cell: (entry) => formatEth(signed(entry)).replace(/ ETH$/, '') },
  {
    name: 'fee_wei',
    meaning: 'of that, what intermediaries kept (payer) or this terminal earned (intermediary); else empty',
    cell: (entry) => entry.fee?.toString() ?? '',
  },
  { name: 'token', meaning: 'the zero address is the native coin', cell: (entry) => entry.token },
  { name: 'order_number', meaning: 'your own, of the invoice that was paid', cell: (entry) => entry.orderNumber ?? '' },
  { name: 'cashier', meaning: 'who made that invoice; empty: the owner', cell: (entry) => entry.cashier ?? '' },
  { name: 'description', meaning: 'of the invoice', cell: (entry) => entry.description },
  { name: 'payer', meaning: "the payer's identity", cell: (entry) => entry.payer },
  { name: 'payee', meaning: "the payee's identity, where this terminal knows it", cell: (entry) => entry.payee ?? '' },
  { name: 'hops', meaning: 'channels that it crossed', cell: (entry) => String(entry.hops) },
  { name: 'payment', meaning: 'payment id; empty for a direct payment', cell: (entry) => entry.paymentId ?? '' },
  { name: 'invoice', meaning: 'id of the invoice, where there was one', cell: (entry) => entry.invoice ?? '' },
  { name: 'refund_of', meaning: 'the payment that this one gives back', cell: (entry) => entry.refundOf ?? '' },
];

/** Words for whether an amount counts. */
export function movedWord({ phase, outcome }: Pick<PaymentEntry, 'phase' | 'outcome'>): 'yes' | 'no' | 'open' {
  if (phase === 'DONE' || outcome === 'APPLIED') return 'yes';
  return phase === 'ABORTED' || phase === 'RESOLVED' ? 'no' : 'open';
}

export const csvHeader = (): string => stringify([COLUMNS.map((column) => column.name)]);

/** Descriptions come from others: what a spreadsheet would take for a formula is escaped. */
export function csvRows(entries: readonly PaymentEntry[]): string {
  const rows = entries.map((entry) => COLUMNS.map(({ name, cell }) => guarded(name, cell(entry))));
  return stringify(rows);
}

const WRITTEN_BY_OTHERS = ['description', 'order_number', 'cashier'];
const guarded = (name: string, text: string): string =>
  WRITTEN_BY_OTHERS.includes(name) && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
