/** `baro balance`, `invoice`, `pay` and `payments`: what happens off chain. */

import { Option } from 'commander';
import { z } from 'zod';
import { formatAmount, formatEth, formatExactly } from '../amount.ts';
import {
  balanceAnswer,
  invoiceAnswer,
  type PaymentEntry,
  payAnswer,
  paymentsAnswer,
  payPhaseAnswer,
  statusAnswer,
  type TokenBalance,
} from '../answers.ts';
import { amountInput, type CommandSpec, feeInput, hexInput, integerInput } from '../command.ts';
import { ControlClient } from '../control-client.ts';
import { EXIT_DONE, EXIT_REFUSED, usageFailure } from '../failure.ts';
import { paymentLines, phaseLine } from '../payment-text.ts';
import { facts, shortId, table } from '../table.ts';
import { BACKGROUND, dataOption, directoryInput, waitFor } from './shared.ts';

const dataInput = z.object({ data: directoryInput });
const secondsInput = integerInput({ from: 1, to: 10 * 365 * 24 * 3600 });

export const balance: CommandSpec<z.output<typeof dataInput>> = {
  name: 'balance',
  summary: 'show what you can spend, receive and withdraw',
  description: BACKGROUND,
  options: [dataOption()],
  examples: ['baro balance', 'baro balance --json'],
  input: dataInput,
  run: async ({ data }, screen) => {
    const client = await ControlClient.open(data);
    const status = await client.call({ method: 'GET', path: '/status', answer: statusAnswer });
    const { balances } = await client.call({ method: 'GET', path: '/balance', answer: balanceAnswer });
    screen.result({ ...status, balances }, () => [
      `${status.name}  ${status.identity}${status.online ? '' : '  (the hub is out of reach)'}`,
      ...balances.flatMap(balanceLines),
    ]);
    return EXIT_DONE;
  },
};

function balanceLines(of: TokenBalance): string[] {
  const chain = (amount: bigint | null): string =>
    amount === null ? 'unknown: the chain is out of reach' : formatExactly(amount);
  return facts([
    ['  spendable', formatExactly(of.spendable)],
    ['  receivable', formatExactly(of.receivable)],
    ['  pending', `${formatAmount(of.pendingOut)} out, ${formatAmount(of.pendingIn)} in`],
    ['  withdrawable', chain(of.withdrawable)],
    ['  on chain', chain(of.onChain)],
  ]);
}

const invoiceInput = z.object({
  data: directoryInput,
  amount: amountInput,
  expires: secondsInput.optional(),
  description: z.string().max(256, 'has at most 256 characters').optional(),
});

export const invoice: CommandSpec<z.output<typeof invoiceInput>> = {
  name: 'invoice',
  summary: 'ask for money: prints a text for the payer',
  description: `Your enclave signs it and takes exactly this amount, once. ${BACKGROUND}`,
  options: [
    dataOption(),
    new Option('--amount <amount>', 'what you want to get').makeOptionMandatory(),
    new Option('--expires <seconds>', 'how long it can be paid (3600 by default)'),
    new Option('--description <text>', 'for the payer to read'),
  ],
  examples: ['baro invoice --amount 0.01eth --description "two coffees"', 'baro invoice --amount 20gwei --json'],
  input: invoiceInput,
  run: async ({ data, amount, expires, description }, screen) => {
    const client = await ControlClient.open(data);
    const body = { amount, expiresInS: expires, description };
    const made = await client.call({ method: 'POST', path: '/invoice', body, answer: invoiceAnswer });
    screen.result(made, () => [
      `Invoice over ${formatExactly(made.amount)}, payable until ${new Date(made.expiry * 1000).toISOString()}:`,
      made.text,
    ]);
    return EXIT_DONE;
  },
};

const payInput = z.object({
  data: directoryInput,
  invoice: z.string().min(1).max(8_192).optional(),
  to: hexInput(20, "the payee's identity").optional(),
  amount: amountInput.optional(),
  maxFee: feeInput.optional(),
  expires: secondsInput.optional(),
});
type PayInput = z.output<typeof payInput>;

export const pay: CommandSpec<PayInput> = {
  name: 'pay',
  summary: 'pay an invoice, or a terminal that takes payments without one',
  description: `Prints every step as it happens; done when your own enclave says so. Exit code 1 where nothing was paid. ${BACKGROUND}`,
  arguments: [{ flags: '[invoice]', description: 'the text that the payee gave you (baro:…)' }],
  options: [
    dataOption(),
    new Option('--to <identity>', 'pay this terminal, without an invoice'),
    new Option('--amount <amount>', 'what it gets, with --to'),
    new Option('--max-fee <amount>', 'what intermediaries may keep together'),
    new Option('--expires <seconds>', 'how long others may prepare the payment (60 by default)'),
  ],
  examples: ['baro pay baro:AbCd…', 'baro pay --to 0x8f3a…(40 digits) --amount 0.01eth --max-fee 20gwei'],
  input: payInput,
  run: async ({ data, ...input }, screen) => {
    const target = payTarget(input);
    const client = await ControlClient.open(data);
    const body = { ...target, maxFee: input.maxFee, expiresInS: input.expires };
    const onPhase = (phase: unknown): void => {
      const parsed = payPhaseAnswer.safeParse(phase);
      if (parsed.success) screen.say(phaseLine(parsed.data));
    };
    const paid = await waitFor(client, { method: 'POST', path: '/pay', body, answer: payAnswer, onPhase });
    screen.result(paid, () => paymentLines(paid));
    return paid.status === 'complete' ? EXIT_DONE : EXIT_REFUSED;
  },
};

function payTarget(input: Omit<PayInput, 'data'>): { invoice: string } | { payee: string; amount: bigint } {
  const { invoice: text, to, amount } = input;
  if (text !== undefined && to === undefined && amount === undefined) return { invoice: text };
  if (text === undefined && to !== undefined && amount !== undefined) return { payee: to, amount };
  throw usageFailure(
    'INVALID_OPTION',
    'Pay either an invoice (baro pay baro:…), whose amount is fixed, or a terminal (baro pay --to IDENTITY --amount AMOUNT).',
  );
}

const paymentsInput = z.object({
  data: directoryInput,
  limit: integerInput({ from: 1, to: 1_000 }),
  before: integerInput({ from: 1, to: Number.MAX_SAFE_INTEGER }).optional(),
});

export const payments: CommandSpec<z.output<typeof paymentsInput>> = {
  name: 'payments',
  summary: 'list payments, newest first',
  description: BACKGROUND,
  options: [
    dataOption(),
    new Option('--limit <count>', 'how many').default('20'),
    new Option('--before <number>', 'older than this number of the first column'),
  ],
  examples: ['baro payments', 'baro payments --limit 100 --before 412 --json'],
  input: paymentsInput,
  run: async ({ data, limit, before }, screen) => {
    const client = await ControlClient.open(data);
    const path = `/payments?limit=${limit}${before === undefined ? '' : `&before=${before}`}`;
    const answer = await client.call({ method: 'GET', path, answer: paymentsAnswer });
    screen.result(answer, () => paymentTable(answer.payments, limit));
    return EXIT_DONE;
  },
};

function paymentTable(entries: readonly PaymentEntry[], limit: number): string[] {
  if (entries.length === 0) return ['No payments.'];
  const oldest = entries.at(-1)?.sequence ?? 0;
  const more = entries.length === limit ? [`Older ones: baro payments --before ${oldest}`] : [];
  const lines = table(entries, [
    { title: '#', cell: (row) => String(row.sequence), right: true },
    { title: 'time', cell: (row) => new Date(row.createdAt).toISOString().slice(0, 19).replace('T', ' ') },
    { title: 'role', cell: (row) => row.role },
    { title: 'state', cell: (row) => row.phase },
    { title: 'amount', cell: (row) => `${signOf(row)}${formatEth(row.amount)}`, right: true },
    { title: 'hops', cell: (row) => String(row.hops), right: true },
    { title: 'with', cell: (row) => shortId((row.role === 'payer' ? row.payee : row.payer) ?? '') },
    { title: 'description', cell: (row) => row.description },
  ]);
  return [...lines, ...more];
}

const signOf = (row: PaymentEntry): string => (row.role === 'payer' ? '-' : '+');
