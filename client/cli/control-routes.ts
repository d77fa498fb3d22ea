/**
 * What the owner can ask of a running terminal: the control API's routes (control-server.ts serves them, answers.ts
 * describes the answers). Amounts are decimal strings of base units.
 */

import { z } from 'zod';
import { type ChannelId, channelId, type Identity, InvalidValue, identity } from '../../enclave/core/ids.ts';
import type { Terminal } from '../terminal.ts';
import { parseAmount } from './amount.ts';
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
}

export const controlRoutes = (of: { terminal: Terminal; status: () => Status }): Route[] => [
  ...reading(of.terminal, of.status),
  ...onChain(of.terminal),
  ...paying(of.terminal),
];

function reading(own: Terminal, status: () => Status): Route[] {
  const page = z.object({
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(20),
    before: z.coerce.number().int().positive().optional(),
  });
  return [
    route({ method: 'GET', path: '/status', input: none }, status),
    route({ method: 'GET', path: '/balance', input: none }, async () => ({ balances: await own.balance() })),
    route({ method: 'GET', path: '/channels', input: none }, async () => ({
      channels: (await own.channels()).map(({ channel: fields, ...view }) => ({ ...view, ...fields })),
    })),
    route({ method: 'GET', path: '/payments', input: page }, async ({ limit, before }) => ({
      payments: await own.payments({ limit, ...(before === undefined ? {} : { before }) }),
    })),
  ];
}

function onChain(own: Terminal): Route[] {
  const streams = { method: 'POST', streams: true } as const;
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
    route({ ...streams, path: '/withdraw', input: none }, () => own.withdraw({})),
  ];
}

function paying(own: Terminal): Route[] {
  const invoicing = z.object({ amount, expiresInS: seconds.optional(), description: z.string().max(256).optional() });
  const limits = { maxFee: fee.optional(), expiresInS: seconds.optional() };
  const toPay = z.union([
    z.strictObject({ invoice: z.string().max(8_192), ...limits }),
    z.strictObject({ payee: terminal, amount, ...limits }),
  ]);
  return [
    route({ method: 'POST', path: '/invoice', input: invoicing }, ({ amount: asked, expiresInS, description }) =>
      own.invoice({
        amount: asked,
        ...(expiresInS === undefined ? {} : { expiresInS }),
        ...(description === undefined ? {} : { description }),
      }),
    ),
    route({ method: 'POST', path: '/pay', streams: true, input: toPay }, (input, phases) => {
      const { maxFee, expiresInS } = input;
      return own.pay('invoice' in input ? { invoice: input.invoice } : { payee: input.payee, amount: input.amount }, {
        ...(maxFee === undefined ? {} : { maxFee }),
        ...(expiresInS === undefined ? {} : { expiresInS }),
        onPhase: phases,
      });
    }),
  ];
}
