/** One payment in full: where it stands, who is waited for, and which ways out there are (PROTOCOL.md sections 4 and 5). */

import { formatAmount, formatExactly } from './amount.ts';
import type { PaymentDetail, PaymentEntry } from './answers.ts';
import { movedWord } from './payment-csv.ts';
import { facts, shortId } from './table.ts';

const MEANING: Readonly<Record<string, string>> = {
  'PRE-UPDATE': 'amounts are locked; nothing has moved yet',
  'POST-UPDATE': 'applied here, not final: the proof that all others applied it is missing',
  DONE: 'final: your own enclave says so',
  ABORTED: 'over, nothing moved',
};

export function detailLines(of: PaymentDetail): string[] {
  const { entry } = of;
  const left = of.participants === null ? [] : ['', ...lockedLines(of)];
  return [...facts(factsOf(of)), ...refundLines(of), ...left, ...(isToGiveBack(of) ? [refundHint(entry)] : [])];
}

function isToGiveBack({ entry, refunds }: PaymentDetail): boolean {
  if (entry.role !== 'payee' || entry.paymentId === null || movedWord(entry) !== 'yes') return false;
  const given = refunds.filter((each) => movedWord(each) !== 'no').reduce((sum, each) => sum + netOf(each), 0n);
  return given < entry.amount;
}

/** What the other side of a refund gets. */
const netOf = (entry: PaymentEntry): bigint => entry.amount - (entry.fee ?? 0n);

const refundHint = (entry: PaymentEntry): string => `Give it back: baro refund ${entry.paymentId ?? ''}`;

function factsOf({ entry, participants }: PaymentDetail): [string, string][] {
  const { role, fee } = entry;
  const meaning = entry.phase === 'RESOLVED' ? resolvedWords(entry) : (MEANING[entry.phase] ?? '');
  const verb = { payer: 'pays', payee: 'receives', intermediary: 'forwards, for a fee of' }[role];
  const named: [string, string | null][] = [
    ['payment', entry.paymentId ?? entry.key],
    ['phase', `${entry.phase}: ${meaning}`],
    ['since', `${time(entry.updatedAt)}${participants === null ? '' : ` (${ago(Date.now() - entry.updatedAt)})`}`],
    ['created', time(entry.createdAt)],
    ['this terminal', `${verb} ${formatExactly(entry.amount)}`],
    ['of that, fees', role === 'payer' && fee !== null ? formatAmount(fee) : null],
    ['payer', entry.payer],
    ['payee', entry.payee],
    ['hops', String(entry.hops)],
    ['invoice', entry.invoice],
    ['order', entry.orderNumber],
    ['cashier', entry.cashier],
    ['description', entry.description === '' ? null : entry.description],
    ['gives back', entry.refundOf],
  ];
  return named.flatMap(([label, value]): [string, string][] => (value === null ? [] : [[label, value]]));
}

const resolvedWords = (entry: PaymentEntry): string =>
  entry.outcome === 'APPLIED'
    ? 'final: the chain recorded it as APPLIED'
    : 'over: the chain recorded it as VOID, nothing moved';

function refundLines({ refunds }: PaymentDetail): string[] {
  return refunds.map((each) => `given back    ${formatAmount(netOf(each))}  ${each.phase}  ${each.paymentId ?? ''}`);
}

/** It never unlocks because time passed: what its owner can do meanwhile, and what each way means. */
function lockedLines({ entry, participants, frozen, waitingFor }: PaymentDetail): string[] {
  const isPost = entry.phase === 'POST-UPDATE';
  const outcome = isPost ? 'APPLIED' : 'VOID';
  const effect = isPost
    ? 'the payment happened, on every channel of it'
    : 'the payment never happened, on any channel of it';
  return [
    ...waitingLines({ count: participants?.length ?? 0, waitingFor }),
    ...(frozen ? ['A record or an exit was signed for it here: it ends on chain.'] : []),
    'Ways out, none of which can lose money that is yours:',
    '  wait     the others, or the hub, come back: it completes or aborts by itself and costs nothing',
    `  record   baro payments record ${entry.paymentId ?? ''}`,
    `           has ${outcome} written on chain, once and for all: ${effect}; channels stay open`,
    '  eject    baro channel eject CHANNEL',
    `           leaves the channel; the contract settles it, this payment as ${outcome} unless another outcome is recorded`,
    'Both are one transaction; the command shows its cost before it asks.',
  ];
}

function waitingLines(of: { count: number; waitingFor: string[] | null }): string[] {
  const { count, waitingFor } = of;
  if (waitingFor !== null && waitingFor.length > 0) {
    return ['Waiting, when the hub last said for whom, for some of:', ...waitingFor.map((identity) => `  ${identity}`)];
  }
  return [`Waiting for the hub to bring proof of the other ${count - 1} terminals of this payment.`];
}

export const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;

function ago(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`;
}

/** One payment in one line, as `payments --follow` tells them. */
export function followLine(entry: PaymentEntry): string {
  const sign = entry.role === 'payer' ? '-' : '+';
  const order = entry.orderNumber === null ? '' : `  order ${entry.orderNumber}`;
  const state = entry.outcome === null ? entry.phase : `${entry.phase} ${entry.outcome}`;
  const about = entry.description === '' ? '' : `  ${entry.description}`;
  const id = entry.paymentId === null ? '' : `  ${shortId(entry.paymentId)}`;
  return `${time(entry.updatedAt)}  ${state.padEnd(16)}${sign}${formatAmount(entry.amount)}${id}${order}${about}`;
}
