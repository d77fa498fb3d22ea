/** Rows of the journal's tables, and the entries that they stand for. Money is text, and so is what is kept as JSON. */

import { decode, encode, toBytes, toHex } from '../../enclave/core/codec.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Address, Bytes32, ChannelId, Hex, Identity, PaymentId } from '../../enclave/core/ids.ts';
import { type Order, orderCodec } from '../../enclave/core/order.ts';
import type { PayResult } from '../terminal-types.ts';
import type { InvoiceEntry, OrderEntry, OrderOutcome, PaymentHistoryEntry } from './journal.ts';

export interface PaymentRow {
  sequence: number;
  revision: number;
  key: string;
  kind: 'round' | 'direct';
  payment_id: PaymentId | null;
  channel_id: ChannelId | null;
  role: PaymentHistoryEntry['role'];
  phase: PaymentHistoryEntry['phase'];
  outcome: Outcome | null;
  token: Address;
  amount: string;
  fee: string | null;
  payer: Identity;
  payee: Identity | null;
  invoice: Bytes32 | null;
  order_id: Bytes32 | null;
  description: string;
  hops: number;
  order_number: string | null;
  cashier: string | null;
  refund_of: PaymentId | null;
  created_at: number;
  updated_at: number;
}

export interface InvoiceRow {
  sequence: number;
  hash: Bytes32;
  text: string;
  token: Address;
  amount: string;
  expiry: number;
  description: string;
  order_number: string | null;
  cashier: string | null;
  cancelled_at: number | null;
  created_at: number;
}

export interface OrderRow {
  order_id: Bytes32;
  key: string | null;
  parameters: string;
  content: string;
  handover_url: string | null;
  refund_of: PaymentId | null;
  outcome: string | null;
  created_at: number;
}

export function paymentOf(row: PaymentRow): PaymentHistoryEntry {
  const { sequence, revision, kind, key, role, phase, outcome, token, payer, payee, invoice, description, hops } = row;
  return {
    ...{ sequence, revision, kind, key, role, phase, outcome, token, payer, payee, invoice, description, hops },
    paymentId: row.payment_id,
    channelId: row.channel_id,
    amount: BigInt(row.amount),
    fee: row.fee === null ? null : BigInt(row.fee),
    orderId: row.order_id,
    orderNumber: row.order_number,
    cashier: row.cashier,
    refundOf: row.refund_of,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function invoiceOf(row: InvoiceRow): InvoiceEntry {
  const { sequence, hash, text, token, expiry, description, cashier } = row;
  return {
    ...{ sequence, hash, text, token, expiry, description, cashier },
    amount: BigInt(row.amount),
    orderNumber: row.order_number,
    cancelledAt: row.cancelled_at,
    createdAt: row.created_at,
  };
}

export function orderOf(row: OrderRow): OrderEntry {
  return {
    orderId: row.order_id,
    key: row.key,
    parameters: row.parameters,
    order: decode(orderCodec, toBytes(row.content as Hex)),
    handoverUrl: row.handover_url,
    refundOf: row.refund_of,
    outcome: row.outcome === null ? null : outcomeFromText(row.outcome),
    createdAt: row.created_at,
  };
}

export const orderToText = (order: Order): string => toHex(encode(orderCodec, order));

export function outcomeToText(outcome: OrderOutcome): string {
  return JSON.stringify(outcome, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

/** What `outcomeToText` wrote; nobody else writes there. */
function outcomeFromText(text: string): OrderOutcome {
  type Money = 'amount' | 'fee';
  type Written =
    | Extract<OrderOutcome, { kind: 'refused' }>
    | { kind: 'result'; result: Omit<PayResult, Money> & Record<Money, string> };
  const written = JSON.parse(text) as Written;
  if (written.kind === 'refused') return written;
  const { amount, fee, ...rest } = written.result;
  return { kind: 'result', result: { ...rest, amount: BigInt(amount), fee: BigInt(fee) } };
}
