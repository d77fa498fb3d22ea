/** What the daemon's control API answers, as commands read it: amounts are bigint again. */

import { z } from 'zod';

const amount = z.string().regex(/^\d+$/).transform(BigInt);
const id = z.string().regex(/^0x[0-9a-f]+$/);

export const statusAnswer = z.object({
  name: z.string(),
  identity: id,
  payout: id,
  chainId: z.string(),
  contract: id,
  hub: z.string(),
  online: z.boolean(),
  handoverUrl: z.string().nullable(),
  authority: id,
  measurement: id,
  emulated: z.boolean(),
  installedMeasurement: id,
});
export type StatusAnswer = z.output<typeof statusAnswer>;

const tokenBalance = z.object({
  token: id,
  spendable: amount,
  receivable: amount,
  pendingOut: amount,
  pendingIn: amount,
  withdrawable: amount.nullable(),
  onChain: amount.nullable(),
});
export const balanceAnswer = z.object({ balances: z.array(tokenBalance) });
export type TokenBalance = z.output<typeof tokenBalance>;

const channelEntry = z.object({
  channelId: id,
  side: z.enum(['A', 'B']),
  peer: id,
  token: id,
  payoutA: id,
  payoutB: id,
  challengePeriod: z.number(),
  agreed: z.boolean(),
  ownDeposit: amount,
  peerDeposit: amount,
  ownBalance: amount,
  peerBalance: amount,
  spendable: amount,
  pendingOut: amount,
  pendingIn: amount,
  pendingCount: z.number(),
  suspended: z.boolean(),
  exitSigned: z.boolean(),
  settled: z.boolean(),
});
export const channelsAnswer = z.object({ channels: z.array(channelEntry) });
export type ChannelEntry = z.output<typeof channelEntry>;

const paymentEntry = z.object({
  sequence: z.number(),
  revision: z.number(),
  kind: z.enum(['round', 'direct']),
  key: z.string(),
  paymentId: id.nullable(),
  channelId: id.nullable(),
  role: z.enum(['payer', 'payee', 'intermediary']),
  phase: z.string(),
  outcome: z.enum(['VOID', 'APPLIED']).nullable(),
  token: id,
  amount,
  fee: amount.nullable(),
  payer: id,
  payee: id.nullable(),
  invoice: id.nullable(),
  orderId: id.nullable(),
  description: z.string(),
  hops: z.number(),
  orderNumber: z.string().nullable(),
  cashier: z.string().nullable(),
  refundOf: id.nullable(),
  createdAt: z.number(),
  updatedAt: z.number(),
});
export const paymentsAnswer = z.object({ payments: z.array(paymentEntry) });
export type PaymentEntry = z.output<typeof paymentEntry>;
export const paymentEntryAnswer = paymentEntry;
export const newestAnswer = z.object({ revision: z.number() });

export const paymentDetailAnswer = z.object({
  entry: paymentEntry,
  /** While it is locked: who takes part in it. */
  participants: z.array(id).nullable(),
  frozen: z.boolean(),
  waitingFor: z.array(id).nullable(),
  refunds: z.array(paymentEntry),
});
export type PaymentDetail = z.output<typeof paymentDetailAnswer>;

export const quoteAnswer = z.object({ hops: z.number(), fee: amount, expectedMs: z.number() });
export const costAnswer = z.object({ gas: amount, gasPrice: amount, cost: amount });
export const recordAnswer = z.object({ transactionHash: id, outcome: z.enum(['VOID', 'APPLIED']) });

export const openAnswer = z.object({ channelId: id, transactionHash: id });
export const closeAnswer = z.object({ transactionHash: id, creditA: amount, creditB: amount });
export const depositAnswer = z.object({ transactionHash: id, total: amount });
/** Null: there is nothing to withdraw. */
export const withdrawAnswer = z.object({ amount, transactionHash: id }).nullable();
export const invoiceAnswer = z.object({
  text: z.string(),
  hash: id,
  amount,
  expiry: z.number(),
  orderNumber: z.string().nullable(),
  receivable: amount,
});
const invoiceState = z.object({
  sequence: z.number(),
  hash: id,
  text: z.string(),
  token: id,
  amount,
  expiry: z.number(),
  description: z.string(),
  orderNumber: z.string().nullable(),
  cashier: z.string().nullable(),
  cancelledAt: z.number().nullable(),
  createdAt: z.number(),
  status: z.enum(['open', 'locked', 'paid', 'expired', 'cancelled']),
  paymentId: id.nullable(),
});
export const invoiceStateAnswer = invoiceState;
export const invoicesAnswer = z.object({ invoices: z.array(invoiceState) });
export type InvoiceState = z.output<typeof invoiceState>;

const cashier = z.object({ name: z.string(), may: z.array(z.string()), createdAt: z.number() });
export const cashiersAnswer = z.object({ cashiers: z.array(cashier) });
export const cashierAddedAnswer = z.object({ name: z.string(), may: z.array(z.string()), token: z.string() });

const payPhase = z.object({
  source: z.enum(['enclave', 'hub']),
  phase: z.string(),
  ms: z.number(),
  code: z.string().optional(),
  message: z.string().optional(),
  waitingFor: z.array(id).optional(),
});
export type PayPhaseAnswer = z.output<typeof payPhase>;
export const payPhaseAnswer = payPhase;

export const payAnswer = z.object({
  paymentId: id,
  orderId: id,
  status: z.enum(['complete', 'aborted', 'void']),
  amount,
  fee: amount,
  hops: z.number(),
  ms: z.number(),
  phases: z.array(payPhase),
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type PayAnswer = z.output<typeof payAnswer>;
