/** `baro cashier add|list|remove`: credentials for others, for what they need and no more. */

import { resolve } from 'node:path';
import { Option } from 'commander';
import { z } from 'zod';
import { cashierAddedAnswer, cashiersAnswer } from '../answers.ts';
import { cashierNameSchema, SCOPES, scopeSchema } from '../cashiers.ts';
import type { CommandSpec } from '../command.ts';
import { ControlClient } from '../control-client.ts';
import { EXIT_DONE, usageFailure } from '../failure.ts';
import { time } from '../payment-detail.ts';
import { readPrivateFile, writePrivateFile } from '../private-file.ts';
import { table } from '../table.ts';
import { BACKGROUND, dataOption, directoryInput } from './shared.ts';

const NAME = { flags: '<name>', description: 'letters, digits, dots, dashes or underscores' };
const WHAT = [
  'invoice: make, list, wait for and cancel invoices. payments: list, follow, show and export payments.',
  'balance: see the balance. No cashier can pay, refund, withdraw, or touch a channel.',
].join(' ');

const addInput = z.object({
  data: directoryInput,
  name: cashierNameSchema,
  may: z.string().transform((text, context) => {
    const parsed = z
      .array(scopeSchema)
      .min(1)
      .safeParse(text.split(',').map((each) => each.trim()));
    if (parsed.success) return parsed.data;
    context.addIssue(`must be some of ${SCOPES.join(', ')}, separated by commas`);
    return z.NEVER;
  }),
  out: z.string().min(1).optional(),
});

export const cashierAdd: CommandSpec<z.output<typeof addInput>> = {
  name: 'add',
  summary: 'make credentials for a cashier: a file for --credentials',
  description: `${WHAT} What a cashier makes carries the name. The file is the key: hand it over privately. ${BACKGROUND}`,
  arguments: [NAME],
  options: [
    dataOption(),
    new Option('--may <scopes>', SCOPES.join(', ')).makeOptionMandatory(),
    new Option('--out <file>', 'where to write the file (NAME.cashier.json by default)'),
  ],
  examples: [
    'baro cashier add till-2 --may invoice,payments',
    'baro invoice --credentials till-2.cashier.json --amount 0.01eth --wait',
  ],
  input: addInput,
  run: async ({ data, name, may, out }, screen) => {
    const file = resolve(out ?? `${name}.cashier.json`);
    if ((await readPrivateFile(file)) !== undefined) {
      throw usageFailure('FILE_EXISTS', `${file} exists already. Remove it, or choose another --out.`);
    }
    const client = await ControlClient.open(data);
    const body = { name, may };
    const { token } = await client.call({ method: 'POST', path: '/cashiers/add', body, answer: cashierAddedAnswer });
    const credentials = { version: 1, url: client.url, cashier: name, may, token };
    await writePrivateFile(file, `${JSON.stringify(credentials, null, 2)}\n`);
    screen.result({ name, may, file, url: client.url }, () => [
      `${name} may use: ${may.join(', ')}.`,
      `  credentials  ${file} (whoever can read it is ${name})`,
      '  use          --credentials FILE with invoice, payments, balance and status; or BARO_CREDENTIALS=FILE',
      `  end          baro cashier remove ${name}`,
    ]);
    return EXIT_DONE;
  },
};

const listInput = z.object({ data: directoryInput });

export const cashierList: CommandSpec<z.output<typeof listInput>> = {
  name: 'list',
  summary: 'list the cashiers and what they may do',
  description: `${WHAT} ${BACKGROUND}`,
  options: [dataOption()],
  examples: ['baro cashier list'],
  input: listInput,
  run: async ({ data }, screen) => {
    const client = await ControlClient.open(data);
    const answer = await client.call({ method: 'GET', path: '/cashiers', answer: cashiersAnswer });
    screen.result(answer, () =>
      answer.cashiers.length === 0
        ? ['No cashiers. Add one: baro cashier add NAME --may invoice,payments']
        : table(answer.cashiers, [
            { title: 'cashier', cell: (row) => row.name },
            { title: 'may', cell: (row) => row.may.join(', ') },
            { title: 'since', cell: (row) => time(row.createdAt) },
          ]),
    );
    return EXIT_DONE;
  },
};

const removeInput = z.object({ data: directoryInput, name: cashierNameSchema });

export const cashierRemove: CommandSpec<z.output<typeof removeInput>> = {
  name: 'remove',
  summary: "end a cashier's credentials, at once",
  description: `What the cashier made stays. ${BACKGROUND}`,
  arguments: [NAME],
  options: [dataOption()],
  examples: ['baro cashier remove till-2'],
  input: removeInput,
  run: async ({ data, name }, screen) => {
    const client = await ControlClient.open(data);
    const answer = z.object({ name: z.string() });
    await client.call({ method: 'POST', path: '/cashiers/remove', body: { name }, answer });
    screen.result({ name, removed: true }, () => [`${name} is no cashier any more: its credentials open nothing.`]);
    return EXIT_DONE;
  },
};
