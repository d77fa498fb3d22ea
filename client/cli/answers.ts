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
});

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
  kind: z.enum(['round', 'direct']),
  key: z.string(),
  paymentId: id.nullable(),
  role: z.enum(['payer', 'payee', 'intermediary']),
  phase: z.string(),
  token: id,
  amount,
  fee: amount.nullable(),
  payer: id,
  payee: id.nullable(),
  description: z.string(),
  hops: z.number(),
  createdAt: z.number(),
  updatedAt: z.number(),
});
export const paymentsAnswer = z.object({ payments: z.array(paymentEntry) });
export type PaymentEntry = z.output<typeof paymentEntry>;

export const openAnswer = z.object({ channelId: id, transactionHash: id });
export const closeAnswer = z.object({ transactionHash: id, creditA: amount, creditB: amount });
export const depositAnswer = z.object({ transactionHash: id, total: amount });
/** Null: there is nothing to withdraw. */
export const withdrawAnswer = z.object({ amount, transactionHash: id }).nullable();
export const invoiceAnswer = z.object({ text: z.string(), hash: id, amount, expiry: z.number() });

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
