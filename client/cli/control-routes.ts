/**
 * What the owner can ask of a running terminal: the control API's routes (control-server.ts serves them, answers.ts
 * describes the answers). Amounts are decimal strings of base units.
 */

import { z } from 'zod';
import {
  type Bytes32,
  bytes32,
  type ChannelId,
  channelId,
  type Identity,
  InvalidValue,
  identity,
  type PaymentId,
  paymentId,
} from '../../enclave/core/ids.ts';
import type { Terminal } from '../terminal.ts';
import type { PayOptions } from '../terminal-types.ts';
import { parseAmount } from './amount.ts';
import { type Cashiers, cashierNameSchema, scopeSchema } from './cashiers.ts';
import { type Route, route } from './control-server.ts';

const MAX_PAGE = 1_000;

const amount = z.string().regex(/^\d+$/).transform(parseAmount);
/** Zero is a fee that may be meant. */
const fee = z.union([z.literal('0').transform(() => 0n), amount]);
const seconds = z.number().int().positive();

function hex<Id>(construct: (text: string) => Id) {
  return z.string().transform((text, context): Id => {
    try {
      return construct(text);
    } catch (error) {
      context.addIssue(error instanceof InvalidValue ? error.message : 'malformed');
      return z.NEVER;
    }
  });
}
const channel = hex<ChannelId>(channelId);
const terminal = hex<Identity>(identity);
const payment = hex<PaymentId>(paymentId);
const bytes = hex<Bytes32>(bytes32);
const pageSize = z.coerce.number().int().min(1).max(MAX_PAGE).default(20);
const none = z.object({});

export interface Status {
  name: string;
  identity: Identity;
  payout: string;
  chainId: bigint;
  contract: string;
  hub: string;
  /** Whether the hub can be reached now. */
  online: boolean;
  handoverUrl: string | null;
  /** What hubs and peers have to accept to deal with this terminal. */
  authority: string;
  measurement: string;
  emulated: true;
  /** Of the enclave image that the installed package has: a new terminal would start with it. */
  installedMeasurement: string;
}

export const controlRoutes = (of: { terminal: Terminal; status: () => Status; cashiers: Cashiers }): Route[] => [
  ...reading(of.terminal, of.status),
  ...onChain(of.terminal),
  ...paying(of.terminal),
  ...invoicing(of.terminal),
  ...following(of.terminal),
  ...employing(of.cashiers),
];

function reading(own: Terminal, status: () => Status): Route[] {
  const page = z.object({
    limit: pageSize,
    before: z.coerce.number().int().positive().optional(),
  });
  return [
    route({ method: 'GET', path: '/status', scope: 'any', input: none }, status),
    route({ method: 'GET', path: '/balance', scope: 'balance', input: none }, async () => ({
      balances: await own.balance(),
    })),
    route({ method: 'GET', path: '/channels', input: none }, async () => ({
      channels: (await own.channels()).map(({ channel: fields, ...view }) => ({ ...view, ...fields })),
    })),
    route({ method: 'GET', path: '/payments', scope: 'payments', input: page }, async ({ limit, before }) => ({
      payments: await own.payments({ limit, ...(before === undefined ? {} : { before }) }),
    })),
  ];
}

function onChain(own: Terminal): Route[] {
  const streams = { method: 'POST', streams: true } as const;
  const asks = { method: 'GET' } as const;
  const opening = z.object({ peer: terminal, deposit: amount, challengePeriod: z.number().int().min(0).optional() });
  return [
    route({ ...streams, path: '/channels/open', input: opening }, ({ peer, deposit, challengePeriod }, phases) =>
      own.openChannel({
        peer,
        deposit,
        ...(challengePeriod === undefined ? {} : { challengePeriod }),
        onPhase: (phase, about) => phases({ phase, ...about }),
      }),
    ),
    route({ ...streams, path: '/channels/deposit', input: z.object({ channelId: channel, amount }) }, (input) =>
      own.deposit(input),
    ),
    route({ ...streams, path: '/channels/close', input: z.object({ channelId: channel }) }, (input) =>
      own.closeChannel(input),
    ),
    route({ ...streams, path: '/channels/eject', input: z.object({ channelId: channel }) }, (input) =>
      own.ejectChannel(input),
    ),
    route({ ...asks, path: '/channels/eject-cost', input: z.object({ channelId: channel }) }, (input) =>
      own.ejectCost(input),
    ),
    route({ ...streams, path: '/payments/record', input: z.object({ paymentId: payment }) }, (input) =>
      own.recordOutcome(input),
    ),
    route({ ...asks, path: '/payments/record-cost', input: none }, () => own.recordCost()),
    route({ ...streams, path: '/withdraw', input: none }, () => own.withdraw({})),
  ];
}

function paying(own: Terminal): Route[] {
  const limits = { maxFee: fee.optional(), expiresInS: seconds.optional(), idempotencyKey: z.string().optional() };
  const target = [{ invoice: z.string().max(8_192) }, { payee: terminal, amount }] as const;
  const toPay = z.union([z.strictObject({ ...target[0], ...limits }), z.strictObject({ ...target[1], ...limits })]);
  const toQuote = z.union([z.strictObject(target[0]), z.strictObject(target[1])]);
  const toRefund = z.strictObject({ paymentId: payment, amount: amount.optional(), ...limits });
  return [
    route({ method: 'POST', path: '/pay', streams: true, input: toPay }, (input, phases) =>
      own.pay('invoice' in input ? { invoice: input.invoice } : { payee: input.payee, amount: input.amount }, {
        ...limitsOf(input),
        onPhase: phases,
      }),
    ),
    route({ method: 'POST', path: '/quote', input: toQuote }, (input) => own.quote(input)),
    route({ method: 'POST', path: '/refund', streams: true, input: toRefund }, (input, phases) => {
      const { paymentId, amount: part } = input;
      const refund = part === undefined ? { paymentId } : { paymentId, amount: part };
      return own.refund(refund, { ...limitsOf(input), onPhase: phases });
    }),
  ];
}

function limitsOf(given: {
  maxFee?: bigint | undefined;
  expiresInS?: number | undefined;
  idempotencyKey?: string | undefined;
}): Pick<PayOptions, 'maxFee' | 'expiresInS' | 'idempotencyKey'> {
  const { maxFee, expiresInS, idempotencyKey } = given;
  return {
    ...(maxFee === undefined ? {} : { maxFee }),
    ...(expiresInS === undefined ? {} : { expiresInS }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

function invoicing(own: Terminal): Route[] {
  const scope = 'invoice';
  const toMake = z.object({
    amount,
    expiresInS: seconds.optional(),
    description: z.string().max(256).optional(),
    orderNumber: z.string().optional(),
    again: z.boolean().optional(),
  });
  const one = z.union([z.object({ hash: bytes }), z.object({ orderNumber: z.string() })]);
  const page = z.object({ limit: pageSize, before: z.coerce.number().int().positive().optional() });
  return [
    route({ method: 'POST', path: '/invoice', scope, input: toMake }, (input, _phases, { cashier }) => {
      const { amount: asked, expiresInS, description, orderNumber, again = false } = input;
      return own.invoice({
        ...{ amount: asked, again },
        ...(expiresInS === undefined ? {} : { expiresInS }),
        ...(description === undefined ? {} : { description }),
        ...(orderNumber === undefined ? {} : { orderNumber }),
        ...(cashier === null ? {} : { cashier }),
      });
    }),
    route({ method: 'GET', path: '/invoices', scope, input: page }, async ({ limit, before }) => ({
      invoices: await own.invoices.list({ limit, ...(before === undefined ? {} : { before }) }),
    })),
    route({ method: 'POST', path: '/invoices/find', scope, input: one }, (input) => own.invoices.find(input)),
    route({ method: 'POST', path: '/invoices/cancel', scope, input: one }, (input) => own.invoices.cancel(input)),
    route(
      { method: 'POST', path: '/invoices/wait', scope, streams: true, input: one },
      async (input, _phases, { signal }) => {
        const { hash } = await own.invoices.find(input);
        return own.invoices.ended({ hash }, signal);
      },
    ),
  ];
}

function following(own: Terminal): Route[] {
  const scope = 'payments';
  const one = z.union([z.object({ key: z.string().max(256) }), z.object({ sequence: z.number().int().positive() })]);
  const cursor = z.object({ after: z.number().int().min(0) });
  return [
    route({ method: 'POST', path: '/payments/find', scope, input: one }, async (input) => {
      const { pending, ...found } = await own.history.find(input);
      return { ...found, participants: pending?.participants ?? null, frozen: pending?.frozen ?? false };
    }),
    route({ method: 'GET', path: '/payments/newest', scope, input: none }, async () => ({
      revision: await own.history.newest(),
    })),
    route(
      { method: 'POST', path: '/payments/follow', scope, streams: true, input: cursor },
      async ({ after }, phases, { signal }) => {
        for await (const entry of own.history.follow(after, signal)) phases(entry);
      },
    ),
  ];
}

function employing(cashiers: Cashiers): Route[] {
  const name = cashierNameSchema;
  const toAdd = z.strictObject({ name, may: z.array(scopeSchema).min(1) });
  return [
    route({ method: 'GET', path: '/cashiers', input: none }, () => ({ cashiers: cashiers.list() })),
    route({ method: 'POST', path: '/cashiers/add', input: toAdd }, async (input) => ({
      ...input,
      token: await cashiers.add(input),
    })),
    route({ method: 'POST', path: '/cashiers/remove', input: z.strictObject({ name }) }, async (input) => {
      await cashiers.remove(input.name);
      return input;
    }),
  ];
}
