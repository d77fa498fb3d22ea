/** `baro payments` and `baro payments show|export|record`: what happened, what happens, and how to end what is stuck. */

import { open } from 'node:fs/promises';
import { Option } from 'commander';
import { z } from 'zod';
import { formatAmount, formatEth } from '../amount.ts';
import {
  costAnswer,
  newestAnswer,
  type PaymentEntry,
  paymentDetailAnswer,
  paymentEntryAnswer,
  paymentsAnswer,
  recordAnswer,
} from '../answers.ts';
import { type CommandSpec, hexInput, integerInput } from '../command.ts';
import { ControlClient } from '../control-client.ts';
import { codeOf, EXIT_DONE, EXIT_INTERRUPTED, Failure, reasonOf, usageFailure } from '../failure.ts';
import { COLUMNS, csvHeader, csvRows } from '../payment-csv.ts';
import { detailLines, followLine, time } from '../payment-detail.ts';
import type { Screen } from '../screen.ts';
import { facts, shortId, table } from '../table.ts';
import {
  accessInput,
  BACKGROUND,
  confirm,
  credentialsOption,
  dataOption,
  directoryInput,
  openAs,
  untilAnswered,
  waitFor,
  yesOption,
} from './shared.ts';

type Who = { data: string; credentials?: string | undefined };

const listInput = z.object({
  ...accessInput,
  limit: integerInput({ from: 1, to: 1_000 }),
  before: integerInput({ from: 1, to: Number.MAX_SAFE_INTEGER }).optional(),
  follow: z.boolean().optional(),
  after: integerInput({ from: 0, to: Number.MAX_SAFE_INTEGER }).optional(),
});

export const payments: CommandSpec<z.output<typeof listInput>> = {
  name: 'payments',
  summary: 'list payments, or follow them as they happen',
  description: [
    'Newest first. With --follow, every change of a payment from now on until Ctrl-C, one a line, and with --json as a line',
    'of JSON; it goes on after a restart of the terminal. Each carries a "revision": give the last one that you handled to',
    '--after, and nothing is missed in between; each payment comes then as it stands by now, so its last word comes always.',
    BACKGROUND,
  ].join(' '),
  options: [
    dataOption(),
    credentialsOption(),
    new Option('--limit <count>', 'how many').default('20'),
    new Option('--before <number>', 'older than this number of the first column'),
    new Option('--follow', 'stay, and tell every change'),
    new Option('--after <revision>', 'with --follow: begin behind this revision; 0: with the oldest'),
  ],
  examples: [
    'baro payments',
    'baro payments --limit 100 --before 412 --json',
    'baro payments --follow',
    'baro payments --follow --after 0 --json | jq -c \'select(.phase == "DONE")\'',
  ],
  input: listInput,
  run: async ({ limit, before, follow, after, ...who }, screen) => {
    if (follow === true) return await followAll(who, after, screen);
    if (after !== undefined) throw usageFailure('INVALID_OPTION', '--after only makes sense with --follow. Add it.');
    const client = await openAs(who);
    const answer = await page(client, { limit, before });
    screen.result(answer, () => paymentTable(answer.payments, limit));
    return EXIT_DONE;
  },
};

function page(client: ControlClient, { limit, before }: { limit: number; before: number | undefined }) {
  const path = `/payments?limit=${limit}${before === undefined ? '' : `&before=${before}`}`;
  return client.call({ method: 'GET', path, answer: paymentsAnswer });
}

/** Until Ctrl-C, which is the normal end: stdout stays what a program reads on. */
async function followAll(who: Who, after: number | undefined, screen: Screen): Promise<number> {
  const first = await openAs(who);
  let cursor = after ?? (await first.call({ method: 'GET', path: '/payments/newest', answer: newestAnswer })).revision;
  const onPhase = (phase: unknown): void => {
    const entry = paymentEntryAnswer.parse(phase);
    cursor = entry.revision;
    screen.line(entry, () => followLine(entry));
  };
  const goOn = (): string => `No longer following. To go on here: baro payments --follow --after ${cursor}`;
  const following = untilAnswered<number>(
    async (signal) => {
      const client = await openAs(who);
      const body = { after: cursor };
      await client.call({ method: 'POST', path: '/payments/follow', body, answer: z.unknown(), onPhase, signal });
      throw new Failure('DAEMON_GONE', 'The terminal stopped.');
    },
    {
      after: '',
      onGone: () => screen.warn('The terminal is gone. Waiting for it to come back…'),
    },
  );
  return await following.catch((error: unknown) => {
    if (codeOf(error) !== 'INTERRUPTED') throw error;
    screen.warn(goOn());
    return EXIT_INTERRUPTED;
  });
}

function paymentTable(entries: readonly PaymentEntry[], limit: number): string[] {
  if (entries.length === 0) return ['No payments.'];
  const oldest = entries.at(-1)?.sequence ?? 0;
  const more = entries.length === limit ? [`Older ones: baro payments --before ${oldest}`] : [];
  const lines = table(entries, [
    { title: '#', cell: (row) => String(row.sequence), right: true },
    { title: 'time', cell: (row) => time(row.createdAt) },
    { title: 'role', cell: (row) => row.role },
    { title: 'state', cell: (row) => (row.outcome === null ? row.phase : `${row.phase} ${row.outcome}`) },
    { title: 'amount', cell: (row) => `${signOf(row)}${formatEth(row.amount)}`, right: true },
    { title: 'hops', cell: (row) => String(row.hops), right: true },
    { title: 'with', cell: (row) => shortId((row.role === 'payer' ? row.payee : row.payer) ?? '') },
    { title: 'order', cell: (row) => row.orderNumber ?? '' },
    { title: 'cashier', cell: (row) => row.cashier ?? '' },
    {
      title: 'description',
      cell: (row) => (row.refundOf === null ? row.description : `refund of ${shortId(row.refundOf)}`),
    },
  ]);
  const isStuck = entries.some((row) => row.phase === 'PRE-UPDATE' || row.phase === 'POST-UPDATE');
  const hint = isStuck
    ? ['Some are not over. Who is waited for, and which ways out there are: baro payments show #']
    : [];
  return [...lines, ...more, ...hint];
}

const signOf = (row: PaymentEntry): string => (row.role === 'payer' ? '-' : '+');

const refInput = z
  .string()
  .min(1, 'must not be empty')
  .max(200, 'is too long')
  .transform((text, context): { key: string } | { sequence: number } => {
    const number = text.replace(/^#/, '');
    if (/^\d{1,15}$/.test(number) && Number(number) > 0) return { sequence: Number(number) };
    if (/^0x[0-9a-f]{64}( (in|out) \d+)?$/i.test(text)) return { key: text.toLowerCase() };
    context.addIssue('must be a payment id (0x and 64 hex digits), or a number of the first column of baro payments');
    return z.NEVER;
  });

const showInput = z.object({ ...accessInput, payment: refInput });

export const paymentsShow: CommandSpec<z.output<typeof showInput>> = {
  name: 'show',
  summary: 'show one payment: its phase, who is waited for, and which ways out there are',
  description: BACKGROUND,
  arguments: [{ flags: '<payment>', description: 'payment id, or its number in baro payments' }],
  options: [dataOption(), credentialsOption()],
  examples: ['baro payments show 12', 'baro payments show 0x51c2…(64 digits) --json'],
  input: showInput,
  run: async ({ payment, ...who }, screen) => {
    const client = await openAs(who);
    const answer = paymentDetailAnswer;
    const detail = await client.call({ method: 'POST', path: '/payments/find', body: payment, answer });
    screen.result(detail, () => detailLines(detail));
    return EXIT_DONE;
  },
};

const dayInput = z.string().transform((text, context): number => {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  context.addIssue('must be a day or a time like 2026-11-20 or 2026-11-20T18:00:00Z');
  return z.NEVER;
});

const exportInput = z.object({
  ...accessInput,
  csv: z.string().min(1),
  since: dayInput.optional(),
  until: dayInput.optional(),
});

export const paymentsExport: CommandSpec<z.output<typeof exportInput>> = {
  name: 'export',
  summary: 'write payments as a CSV file, newest first',
  description: [
    `UTF-8, comma, a header line. ${BACKGROUND}`,
    '',
    'Columns:',
    ...facts(COLUMNS.map(({ name, meaning }) => [`  ${name}`, meaning] as const)),
  ].join('\n'),
  options: [
    dataOption(),
    credentialsOption(),
    new Option(
      '--csv <file>',
      'where to write; - is stdout. A file that exists is not overwritten',
    ).makeOptionMandatory(),
    new Option('--since <day>', 'payments created at or after this day or time (UTC)'),
    new Option('--until <day>', 'payments created before this day or time (UTC)'),
  ],
  examples: [
    'baro payments export --csv november.csv --since 2026-11-01 --until 2026-12-01',
    'baro payments export --csv - | head',
  ],
  input: exportInput,
  run: async ({ csv, since = 0, until = Number.MAX_SAFE_INTEGER, ...who }, screen) => {
    const client = await openAs(who);
    const out = csv === '-' ? screen.rawOutput() : await createFile(csv);
    let rows = 0;
    try {
      await out.write(csvHeader());
      for await (const entries of allPages(client)) {
        const wanted = entries.filter(({ createdAt }) => createdAt >= since && createdAt < until);
        rows += wanted.length;
        if (wanted.length > 0) await out.write(csvRows(wanted));
      }
    } finally {
      await out.close();
    }
    if (csv !== '-')
      screen.result({ file: csv, rows }, () => [`Wrote ${rows} payment${rows === 1 ? '' : 's'} to ${csv}.`]);
    return EXIT_DONE;
  },
};

const PAGE = 500;

async function* allPages(client: ControlClient): AsyncGenerator<PaymentEntry[]> {
  for (let before: number | undefined; ; ) {
    const { payments: entries } = await page(client, { limit: PAGE, before });
    if (entries.length > 0) yield entries;
    before = entries.at(-1)?.sequence;
    if (entries.length < PAGE || before === undefined) return;
  }
}

async function createFile(path: string): Promise<{ write(text: string): Promise<unknown>; close(): Promise<void> }> {
  try {
    const file = await open(path, 'wx', 0o600);
    return { write: (text) => file.write(text), close: () => file.close() };
  } catch (error) {
    throw usageFailure('CANNOT_WRITE', `Cannot write ${path}: ${reasonOf(error)}. Choose another --csv.`);
  }
}

const recordInput = z.object({
  data: directoryInput,
  payment: hexInput(32, 'a payment id'),
  yes: z.boolean().default(false),
});

export const paymentsRecord: CommandSpec<z.output<typeof recordInput>> = {
  name: 'record',
  summary: 'end a stuck payment: have its outcome written on chain, without leaving a channel',
  description: [
    'One transaction of yours frees everybody who waits. From PRE-UPDATE the outcome is VOID (it never happened), from',
    'POST-UPDATE it is APPLIED (it happened), unless another one is on chain already, which then holds for you as well.',
    `Shows what it costs first. ${BACKGROUND}`,
  ].join(' '),
  arguments: [{ flags: '<payment>', description: 'payment id (baro payments show # shows it whole)' }],
  options: [dataOption(), yesOption()],
  examples: ['baro payments record 0x51c2…(64 digits)', 'baro payments record 0x51c2…(64 digits) --yes --json'],
  input: recordInput,
  run: async ({ data, payment: paymentId, yes }, screen) => {
    const client = await ControlClient.open(data);
    const body = { key: paymentId };
    const { entry, participants } = await client.call({
      ...{ method: 'POST', path: '/payments/find', body, answer: paymentDetailAnswer },
    });
    if (participants === null) {
      throw new Failure(
        'NOT_PENDING',
        `The payment ${paymentId} is over (${entry.phase}): there is nothing to record.`,
      );
    }
    const estimate = await client.call({ method: 'GET', path: '/payments/record-cost', answer: costAnswer });
    const outcome = entry.phase === 'POST-UPDATE' ? 'APPLIED: it happened' : 'VOID: it never happened';
    const warning = [
      `This writes the outcome of ${shortId(paymentId)} on chain for everybody, for good: ${outcome}.`,
      `  costs about ${formatAmount(estimate.cost)} (${estimate.gas} gas at ${formatAmount(estimate.gasPrice)})`,
    ];
    await confirm(screen, { yes, warning });
    const call = { method: 'POST', path: '/payments/record', body: { paymentId }, answer: recordAnswer } as const;
    const sent = await waitFor(client, call);
    screen.result({ paymentId, ...sent, estimate }, () => [
      `Recorded on chain as ${sent.outcome}. It ends here when the transaction has its confirmations.`,
      `  transaction  ${sent.transactionHash}`,
    ]);
    return EXIT_DONE;
  },
};
