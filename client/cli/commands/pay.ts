/** `baro pay` and `baro refund`: money that goes out. */

import { Option } from 'commander';
import { z } from 'zod';
import { formatAmount, formatExactly } from '../amount.ts';
import { payAnswer, payPhaseAnswer, quoteAnswer } from '../answers.ts';
import { amountInput, type CommandSpec, feeInput, hexInput } from '../command.ts';
import { ControlClient } from '../control-client.ts';
import { codeOf, EXIT_DONE, EXIT_REFUSED, usageFailure } from '../failure.ts';
import { paymentLines, phaseLine } from '../payment-text.ts';
import type { Screen } from '../screen.ts';
import { BACKGROUND, dataOption, directoryInput, secondsInput, waitFor } from './shared.ts';

const keyInput = z.string().min(1, 'must not be empty').max(128, 'has at most 128 characters');
const limitOptions = (): Option[] => [
  new Option('--max-fee <amount>', 'what intermediaries may keep together (1 % by default, at least 1000 wei)'),
  new Option('--expires <seconds>', 'how long others may prepare the payment (60 by default)'),
  new Option('--idempotency-key <key>', 'pay once under this key, however often this is repeated'),
  new Option('--follow', 'with --json: every step as a line of JSON, then {"result":…} or {"error":…}'),
];
const limitInputs = {
  maxFee: feeInput.optional(),
  expires: secondsInput.optional(),
  idempotencyKey: keyInput.optional(),
  follow: z.boolean().optional(),
};
const ONCE = [
  'With --idempotency-key, repeating exactly this command after Ctrl-C or a crash never pays twice: it goes on waiting,',
  'or shows the first outcome. The same key with anything else is refused.',
].join(' ');

const payInput = z.object({
  data: directoryInput,
  invoice: z.string().min(1).max(8_192).optional(),
  to: hexInput(20, "the payee's identity").optional(),
  amount: amountInput.optional(),
  dryRun: z.boolean().optional(),
  ...limitInputs,
});
type PayInput = z.output<typeof payInput>;

export const pay: CommandSpec<PayInput> = {
  name: 'pay',
  summary: 'pay an invoice, or a terminal that takes payments without one',
  description: `Prints every step as it happens; done when your own enclave says so. Exit code 1 where nothing was paid. ${ONCE} ${BACKGROUND}`,
  arguments: [{ flags: '[invoice]', description: 'the text that the payee gave you (baro:…)' }],
  options: [
    dataOption(),
    new Option('--to <identity>', 'pay this terminal, without an invoice'),
    new Option('--amount <amount>', 'what it gets, with --to'),
    new Option('--dry-run', 'show route, fee and expected time, and pay nothing'),
    ...limitOptions(),
  ],
  examples: [
    'baro pay baro:AbCd…',
    'baro pay --dry-run baro:AbCd…',
    'baro pay --to 0x8f3a…(40 digits) --amount 0.01eth --max-fee 20gwei',
    'baro pay --to 0x8f3a…(40 digits) --amount 1eth --idempotency-key rent-2026-11',
    'baro pay --json --follow baro:AbCd…',
  ],
  input: payInput,
  run: async ({ data, ...input }, screen) => {
    const target = payTarget(input);
    const client = await ControlClient.open(data);
    if (input.dryRun === true) return await quote(client, { target, maxFee: input.maxFee, screen });
    return await payOut({ client, path: '/pay', target, limits: input, screen });
  },
};

type Target = { invoice: string } | { payee: string; amount: bigint };

function payTarget(input: Omit<PayInput, 'data'>): Target {
  const { invoice: text, to, amount } = input;
  if (text !== undefined && to === undefined && amount === undefined) return { invoice: text };
  if (text === undefined && to !== undefined && amount !== undefined) return { payee: to, amount };
  throw usageFailure(
    'INVALID_OPTION',
    'Pay either an invoice (baro pay baro:…), whose amount is fixed, or a terminal (baro pay --to IDENTITY --amount AMOUNT).',
  );
}

async function quote(
  client: ControlClient,
  { target, maxFee, screen }: { target: Target; maxFee: bigint | undefined; screen: Screen },
): Promise<number> {
  const quoted = await waitFor(client, { method: 'POST', path: '/quote', body: target, answer: quoteAnswer });
  const isTooDear = maxFee !== undefined && quoted.fee > maxFee;
  screen.result({ dryRun: true, ...quoted, withinMaxFee: !isTooDear }, () => [
    'Nothing was paid. By the hub’s word, and for now:',
    `  route          ${quoted.hops} hop${quoted.hops === 1 ? '' : 's'}`,
    `  fee            ${formatExactly(quoted.fee)}`,
    `  expected time  ${quoted.expectedMs} ms`,
    ...(isTooDear ? [`The fee is above your --max-fee of ${formatAmount(maxFee)}: this would be refused.`] : []),
  ]);
  return isTooDear ? EXIT_REFUSED : EXIT_DONE;
}

interface Limits {
  maxFee?: bigint | undefined;
  expires?: number | undefined;
  idempotencyKey?: string | undefined;
  follow?: boolean | undefined;
}

/** Pays, showing every step. @returns the exit code */
async function payOut(order: {
  client: ControlClient;
  path: '/pay' | '/refund';
  target: object;
  limits: Limits;
  screen: Screen;
  onUnpaid?: (code: string | undefined) => void;
}): Promise<number> {
  const { client, path, target, limits, screen } = order;
  const { maxFee, expires, idempotencyKey, follow } = limits;
  const body = { ...target, maxFee, expiresInS: expires, idempotencyKey };
  const inLines = screen.json && follow === true;
  const onPhase = (phase: unknown): void => {
    if (inLines) return screen.line({ phase }, () => '');
    const parsed = payPhaseAnswer.safeParse(phase);
    if (parsed.success) screen.say(phaseLine(parsed.data));
  };
  const paid = await waitFor(
    client,
    { method: 'POST', path, body, answer: payAnswer, onPhase },
    afterCtrlC(idempotencyKey),
  );
  screen.result(inLines ? { result: paid } : paid, () => paymentLines(paid));
  if (paid.status === 'complete') return EXIT_DONE;
  order.onUnpaid?.(paid.reason?.code);
  return EXIT_REFUSED;
}

const afterCtrlC = (key: string | undefined): string =>
  key === undefined
    ? 'No longer waiting, but the terminal goes on with it. Do not simply repeat it: see what came of it first (baro payments).'
    : `No longer waiting, but the terminal goes on with it. Repeat exactly this command to see what came of it: under the key ${JSON.stringify(key)} it is paid once.`;

const refundInput = z.object({
  data: directoryInput,
  payment: hexInput(32, 'a payment id'),
  amount: amountInput.optional(),
  ...limitInputs,
});

export const refund: CommandSpec<z.output<typeof refundInput>> = {
  name: 'refund',
  summary: 'give a received payment back, or a part of it',
  description: [
    'A new payment to whoever paid, which names the one that it gives back; never more than was received, all refunds of it',
    'together. It comes without an invoice, so the other terminal must take such payments (baro terminal --accept-anything);',
    `one that does not refuses it, and nothing moves. ${ONCE} ${BACKGROUND}`,
  ].join(' '),
  arguments: [{ flags: '<payment>', description: 'payment id (baro payments --json shows it whole)' }],
  options: [
    dataOption(),
    new Option('--amount <amount>', 'how much of it (all that is left by default)'),
    ...limitOptions(),
  ],
  examples: ['baro refund 0x51c2…(64 digits)', 'baro refund 0x51c2…(64 digits) --amount 0.005eth'],
  input: refundInput,
  run: async ({ data, payment, amount, ...limits }, screen) => {
    const client = await ControlClient.open(data);
    const target = { paymentId: payment, amount };
    const hinting = (code: string | undefined): void => {
      if (code === REFUSES_UNINVOICED) screen.warn(UNINVOICED_HINT);
    };
    try {
      return await payOut({ client, path: '/refund', target, limits, screen, onUnpaid: hinting });
    } catch (error) {
      hinting(codeOf(error));
      throw error;
    }
  },
};

/** The payee's enclave rejects what nobody invoiced. */
const REFUSES_UNINVOICED = 'NOT_ACCEPTING';
const UNINVOICED_HINT =
  'The other terminal takes no payments without an invoice, so nothing can be given back this way. Ask its owner to start ' +
  'it with --accept-anything, or to make an invoice over the refund, and pay that: baro pay baro:…';
