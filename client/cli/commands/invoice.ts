/** `baro invoice` and `baro invoice list|wait|cancel`: what a merchant asks for, and what became of it. */

import { Option } from 'commander';
import { z } from 'zod';
import { formatAmount, formatExactly } from '../amount.ts';
import { type InvoiceState, invoiceAnswer, invoiceStateAnswer, invoicesAnswer } from '../answers.ts';
import { amountInput, type CommandSpec, integerInput } from '../command.ts';
import { EXIT_DONE, EXIT_REFUSED, usageFailure } from '../failure.ts';
import { qrLines } from '../qr.ts';
import type { Screen } from '../screen.ts';
import { shortId, table } from '../table.ts';
import {
  accessInput,
  BACKGROUND,
  credentialsOption,
  dataOption,
  openAs,
  secondsInput,
  untilAnswered,
} from './shared.ts';

const WAITING = [
  'Waiting ends with exit code 0 when your own enclave has the invoice as paid, 1 when it expired or was cancelled,',
  '130 on Ctrl-C, which ends the waiting alone. It survives a restart of the terminal.',
].join(' ');
const MAX_ORDER_NUMBER = 64;
const orderNumberInput = z.string().min(1, 'must not be empty').max(MAX_ORDER_NUMBER, 'has at most 64 bytes');

const makeInput = z.object({
  ...accessInput,
  amount: amountInput.optional(),
  expires: secondsInput.optional(),
  description: z.string().max(256, 'has at most 256 characters').optional(),
  orderNumber: orderNumberInput.optional(),
  again: z.boolean().optional(),
  wait: z.boolean().optional(),
  qr: z.boolean().optional(),
});

export const invoice: CommandSpec<z.output<typeof makeInput>> = {
  name: 'invoice',
  summary: 'ask for money: prints a text for the payer, and waits for it',
  description: `Your enclave signs it and takes exactly this amount, once. ${WAITING} ${BACKGROUND}`,
  options: [
    dataOption(),
    credentialsOption(),
    new Option('--amount <amount>', 'what you want to get (needed)'),
    new Option('--expires <seconds>', 'how long it can be paid (3600 by default)'),
    new Option('--description <text>', 'for the payer to read'),
    new Option('--order-number <text>', 'your own number: one invoice each, shown in payments and exports'),
    new Option('--again', 'make a second invoice for the same order number'),
    new Option(
      '--wait',
      'stay until it is paid, expired or cancelled; with --json: a line for the invoice, one for its end',
    ),
    new Option('--qr', 'show it as a QR code (what a terminal window gets anyway)'),
    new Option('--no-qr', 'show the text alone'),
  ],
  examples: [
    'baro invoice --amount 0.01eth --description "two coffees" --wait',
    'baro invoice --amount 20gwei --order-number 2026-117 --json',
    'baro invoice list',
    'baro invoice cancel 2026-117',
  ],
  input: makeInput,
  run: async ({ amount, expires, description, orderNumber, again, wait, qr, ...who }, screen) => {
    if (amount === undefined)
      throw usageFailure('USAGE', "required option '--amount <amount>' not specified. See --help");
    const client = await openAs(who);
    const body = { amount, expiresInS: expires, description, orderNumber, again };
    const made = await client.call({ method: 'POST', path: '/invoice', body, answer: invoiceAnswer });
    if (made.receivable < made.amount) screen.warn(...tooLittle(made));
    const lines = [
      `Invoice over ${formatExactly(made.amount)}, payable until ${timeOf(made.expiry * 1_000)}:`,
      ...((qr ?? screen.isTerminal) ? qrLines(made.text) : []),
      made.text,
      `  invoice  ${made.hash}`,
    ];
    if (wait !== true) {
      screen.result(made, () => lines);
      return EXIT_DONE;
    }
    // The payer needs the text meanwhile: with --json it is the first of two lines.
    if (screen.json) screen.line(made, () => '');
    else screen.say(...lines, '', 'Waiting for the payment. Ctrl-C ends the waiting; the invoice stays payable.');
    return await waitUntilEnded({ hash: made.hash }, { who, screen });
  },
};

/** Nobody can pay it as things are: said at once, and what helps. */
const tooLittle = (made: { amount: bigint; receivable: bigint }): string[] => [
  `You can receive ${formatAmount(made.receivable)} now, less than this invoice asks for: nobody can pay it as things are.`,
  'What you can receive is what your peers have on their sides of your channels. To get more, ask a peer to deposit',
  '(on its side: baro channel deposit CHANNEL --amount …) or to open a channel with you (baro channel open --peer YOU …),',
  'or pay something out yourself. See: baro channel list',
];

const PHRASES: Readonly<Record<InvoiceState['status'], string>> = {
  open: 'not paid yet',
  locked: 'being paid: a payment of it is locked',
  paid: 'paid: your own enclave says so',
  expired: 'expired; nobody can pay it any more',
  cancelled: 'cancelled; nobody can pay it any more',
};

type Which = { hash: string } | { orderNumber: string };

async function waitUntilEnded(
  which: Which,
  { who, screen }: { who: { data: string; credentials?: string | undefined }; screen: Screen },
): Promise<number> {
  // Once, so that what is wrong from the beginning is said at once.
  await openAs(who);
  const ended = await untilAnswered(
    async (signal) => {
      const client = await openAs(who);
      const answer = invoiceStateAnswer;
      return client.call({ method: 'POST', path: '/invoices/wait', body: which, answer, signal });
    },
    {
      after: `No longer waiting; the invoice stays payable. Wait again: baro invoice wait ${idOf(which)}`,
      onGone: () => screen.warn('The terminal is gone. Still waiting for it to come back…'),
    },
  );
  screen.result(ended, () => stateLines(ended));
  return ended.status === 'paid' ? EXIT_DONE : EXIT_REFUSED;
}

const idOf = (which: Which): string => ('hash' in which ? which.hash : which.orderNumber);

function stateLines(of: InvoiceState): string[] {
  const number = of.orderNumber === null ? '' : ` (order ${of.orderNumber})`;
  const payment = of.paymentId === null ? [] : [`  payment  ${of.paymentId}`];
  return [
    `The invoice over ${formatExactly(of.amount)}${number} is ${PHRASES[of.status]}.`,
    `  invoice  ${of.hash}`,
    ...payment,
  ];
}

const WHICH = { flags: '<invoice>', description: 'your order number, or the id of the invoice (0x and 64 digits)' };
const whichInput = z
  .string()
  .min(1, 'must not be empty')
  .max(66, 'is too long')
  .transform((text): Which => (/^0x[0-9a-f]{64}$/i.test(text) ? { hash: text.toLowerCase() } : { orderNumber: text }));

const oneInput = z.object({ ...accessInput, invoice: whichInput });

export const invoiceWait: CommandSpec<z.output<typeof oneInput>> = {
  name: 'wait',
  summary: 'stay until an invoice is paid, expired or cancelled',
  description: `${WAITING} ${BACKGROUND}`,
  arguments: [WHICH],
  options: [dataOption(), credentialsOption()],
  examples: ['baro invoice wait 2026-117 && echo "hand over the goods"'],
  input: oneInput,
  run: ({ invoice: which, ...who }, screen) => waitUntilEnded(which, { who, screen }),
};

export const invoiceCancel: CommandSpec<z.output<typeof oneInput>> = {
  name: 'cancel',
  summary: 'withdraw an invoice: nobody can pay it any more',
  description: `Refused while a payment of it is locked, and when it was paid. ${BACKGROUND}`,
  arguments: [WHICH],
  options: [dataOption(), credentialsOption()],
  examples: ['baro invoice cancel 2026-117', 'baro invoice cancel 0x51c2…(64 digits)'],
  input: oneInput,
  run: async ({ invoice: which, ...who }, screen) => {
    const client = await openAs(who);
    const answer = invoiceStateAnswer;
    const ended = await client.call({ method: 'POST', path: '/invoices/cancel', body: which, answer });
    screen.result(ended, () => stateLines(ended));
    return EXIT_DONE;
  },
};

const listInput = z.object({
  ...accessInput,
  limit: integerInput({ from: 1, to: 1_000 }),
  before: integerInput({ from: 1, to: Number.MAX_SAFE_INTEGER }).optional(),
});

export const invoiceList: CommandSpec<z.output<typeof listInput>> = {
  name: 'list',
  summary: 'list invoices and what became of them, newest first',
  description: `open: not paid yet. locked: a payment of it is under way. ${BACKGROUND}`,
  options: [
    dataOption(),
    credentialsOption(),
    new Option('--limit <count>', 'how many').default('20'),
    new Option('--before <number>', 'older than this number of the first column'),
  ],
  examples: [
    'baro invoice list',
    'baro invoice list --limit 100 --json | jq \'.invoices[] | select(.status == "open")\'',
  ],
  input: listInput,
  run: async ({ limit, before, ...who }, screen) => {
    const client = await openAs(who);
    const path = `/invoices?limit=${limit}${before === undefined ? '' : `&before=${before}`}`;
    const answer = await client.call({ method: 'GET', path, answer: invoicesAnswer });
    screen.result(answer, () => invoiceTable(answer.invoices, limit));
    return EXIT_DONE;
  },
};

function invoiceTable(invoices: readonly InvoiceState[], limit: number): string[] {
  if (invoices.length === 0) return ['No invoices. Make one: baro invoice --amount …'];
  const oldest = invoices.at(-1)?.sequence ?? 0;
  const more = invoices.length === limit ? [`Older ones: baro invoice list --before ${oldest}`] : [];
  const lines = table(invoices, [
    { title: '#', cell: (row) => String(row.sequence), right: true },
    { title: 'made', cell: (row) => timeOf(row.createdAt) },
    { title: 'status', cell: (row) => row.status },
    { title: 'amount', cell: (row) => formatAmount(row.amount), right: true },
    { title: 'until', cell: (row) => timeOf(row.expiry * 1_000) },
    { title: 'order', cell: (row) => row.orderNumber ?? '' },
    { title: 'cashier', cell: (row) => row.cashier ?? '' },
    { title: 'invoice', cell: (row) => shortId(row.hash) },
    { title: 'description', cell: (row) => row.description },
  ]);
  return [...lines, ...more];
}

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
