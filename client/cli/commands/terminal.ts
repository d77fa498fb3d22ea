/** `baro terminal`: a wallet, a merchant's till or an intermediary, as a daemon in this window. */

import { basename } from 'node:path';
import { Option } from 'commander';
import { z } from 'zod';
import { type Address, address, type Bytes32, bytes32 } from '../../../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../../../enclave/core/limits.ts';
import { formatAmount } from '../amount.ts';
import { banner } from '../banner.ts';
import { amountInput, type CommandSpec, feeInput, hexInput, integerInput, portInput } from '../command.ts';
import type { Daemon, DaemonSettings } from '../daemon.ts';
import { asFailure, EXIT_DONE, EXIT_INTERRUPTED, usageFailure } from '../failure.ts';
import { listenForInterruption } from '../interruption.ts';
import { type Remembered, readRemembered } from '../remembered.ts';
import type { Screen } from '../screen.ts';
import { dataOption, defaultPlatformDirectory, directoryInput } from './shared.ts';

const LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
const DEFAULT_FEE_PPM = 100;
const MAX_PPM = 1_000_000;
const MAX_CONFIRMATIONS = 1_000;

const urlInput = (protocols: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be a URL that starts with ${protocols.join(' or ')}//`,
  });

const input = z.object({
  data: directoryInput,
  hub: urlInput(['http:', 'https:', 'ws:', 'wss:']).optional(),
  rpc: urlInput(['http:', 'https:']).optional(),
  name: z.string().min(1).max(64).optional(),
  platform: directoryInput.optional(),
  ownerKeyFile: directoryInput.optional(),
  acceptEmulated: z.boolean().default(false),
  acceptAuthority: z
    .array(hexInput(20, 'an attestation authority').transform((text): Address => address(text)))
    .default([]),
  acceptMeasurement: z.array(hexInput(32, 'a measurement').transform((text): Bytes32 => bytes32(text))).default([]),
  forward: z.boolean().optional(),
  feeBase: feeInput.optional(),
  feePpm: integerInput({ from: 0, to: MAX_PPM }).optional(),
  minForward: amountInput.optional(),
  maxForward: amountInput.optional(),
  acceptAnything: z.boolean().optional(),
  confirmations: integerInput({ from: 1, to: MAX_CONFIRMATIONS }).optional(),
  port: portInput,
  handoverHost: z.string().min(1),
  handoverPort: portInput,
  handoverUrl: urlInput(['http:', 'https:']).optional(),
  pollMs: integerInput({ from: 10, to: 600_000 }).optional(),
  logLevel: z.enum(LEVELS),
  jsonReady: z.boolean().optional(),
});
type Input = z.output<typeof input>;

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const terminal: CommandSpec<Input> = {
  name: 'terminal',
  summary: 'run a wallet, a merchant terminal or an intermediary',
  description: [
    'Runs until Ctrl-C. Other commands talk to it through --data. What was given at the first start is remembered:',
    'later ones need --data alone. Chain and contract come from the hub, and are checked against your own RPC.',
  ].join(' '),
  options: [
    dataOption(),
    new Option('--hub <url>', "the hub's address"),
    new Option('--rpc <url>', "the chain's JSON-RPC that you trust"),
    new Option('--name <text>', 'what others see (the name of the directory by default)'),
    new Option(
      '--platform <dir>',
      `the emulated platform (${defaultPlatformDirectory()} by default); never inside --data`,
    ),
    new Option('--accept-emulated', 'deal with EMULATED enclaves: needed at the first start, they are all there is'),
    new Option('--accept-authority <address>', 'a further attestation authority (repeatable)').argParser(collect),
    new Option('--accept-measurement <hash>', 'a further enclave image (repeatable)').argParser(collect),
    new Option('--owner-key-file <file>', 'the key that pays gas and is paid out to (created in --data by default)'),
    new Option('--forward', 'forward payments of others, for a fee'),
    new Option('--no-forward', 'forward nothing any more'),
    new Option('--fee-base <amount>', 'fee for each forwarded payment (0 by default)'),
    new Option('--fee-ppm <parts>', `and for each million base units forwarded (${DEFAULT_FEE_PPM} by default)`),
    new Option('--min-forward <amount>', 'forward nothing smaller'),
    new Option('--max-forward <amount>', 'forward nothing larger'),
    new Option('--accept-anything', 'take payments without an invoice'),
    new Option('--no-accept-anything', 'take invoiced payments only'),
    new Option('--confirmations <blocks>', 'until a deposit counts, its own included (12; 1 on a development chain)'),
    new Option('--port <port>', 'of the control API on 127.0.0.1; 0: any free one').default('0'),
    new Option('--handover-host <host>', 'where payers may hand evidence over').default('127.0.0.1'),
    new Option('--handover-port <port>', '0: any free one').default('0'),
    new Option('--handover-url <url>', 'the same as payers reach it, written into invoices'),
    new Option('--poll-ms <ms>', 'how often the chain is asked for new blocks'),
    new Option('--log-level <level>', 'of the log on stderr').choices(LEVELS).default('warn'),
    new Option('--json-ready', 'one JSON line on stdout as soon as it runs (as --json)'),
  ],
  examples: [
    'baro terminal --hub http://127.0.0.1:8080 --rpc http://127.0.0.1:8545 --accept-emulated',
    'baro terminal --data ~/.baro/till --hub http://127.0.0.1:8080 --rpc http://127.0.0.1:8545 --accept-emulated --name till',
    'baro terminal --data ~/.baro/till            (again: everything else is remembered)',
    'baro terminal --data ~/.baro/node --forward --fee-ppm 200',
  ],
  input,
  run: async (given, screen) => {
    const settings = settle(given, await readRemembered(given.data));
    const { startDaemon } = await import('../daemon.ts');
    const interruption = listenForInterruption(() => process.exit(EXIT_INTERRUPTED));
    const starting = startDaemon(settings, (warnings) => screen.warn(...banner(warnings)));
    try {
      const daemon = await Promise.race([starting, interruption.raised]);
      announce(daemon, screen);
      await interruption.raised.catch(() => screen.say('Stopping…'));
      return EXIT_DONE;
    } finally {
      await starting.then(
        (daemon) => daemon.stop(),
        () => undefined,
      );
      interruption.release();
    }
  },
};

/** @throws Failure NOT_CONFIGURED, EMULATED_NOT_ACCEPTED, INVALID_OPTION */
function settle(given: Input, remembered: Remembered | undefined): DaemonSettings {
  const hub = given.hub ?? remembered?.hub;
  const rpc = given.rpc ?? remembered?.rpc;
  if (hub === undefined || rpc === undefined) {
    const missing = hub === undefined ? '--hub' : '--rpc';
    throw usageFailure('NOT_CONFIGURED', `The first start on ${given.data} needs ${missing}. See baro terminal --help`);
  }
  if (remembered === undefined && !given.acceptEmulated) {
    throw usageFailure(
      'EMULATED_NOT_ACCEPTED',
      'Only EMULATED enclaves exist so far. They protect by interface, not against whoever controls a machine: yours or ' +
        "a peer's. To go on with test money, add --accept-emulated.",
    );
  }
  return {
    data: given.data,
    platform: given.platform ?? remembered?.platform ?? defaultPlatformDirectory(),
    hub,
    rpc,
    name: given.name ?? remembered?.name ?? basename(given.data),
    ownerKeyFile: given.ownerKeyFile ?? remembered?.ownerKeyFile,
    policy: settlePolicy(given, remembered?.policy ?? { forwarding: null, acceptAnything: false }),
    authorities: given.acceptAuthority,
    measurements: given.acceptMeasurement,
    confirmations: given.confirmations,
    controlPort: given.port,
    handover: { host: given.handoverHost, port: given.handoverPort, publicUrl: given.handoverUrl },
    pollMs: given.pollMs,
    logLevel: given.logLevel,
  };
}

function settlePolicy(given: Input, before: Remembered['policy']): Remembered['policy'] {
  const acceptAnything = given.acceptAnything ?? before.acceptAnything;
  const { forward, feeBase, feePpm, minForward, maxForward } = given;
  if (!(forward ?? before.forwarding !== null)) {
    if ([feeBase, feePpm, minForward, maxForward].some((value) => value !== undefined)) {
      throw usageFailure('INVALID_OPTION', 'Fees and bounds of forwarding only make sense with --forward. Add it.');
    }
    return { forwarding: null, acceptAnything };
  }
  const forwarding = {
    feeBase: feeBase ?? before.forwarding?.feeBase ?? 0n,
    feePpm: feePpm ?? before.forwarding?.feePpm ?? DEFAULT_FEE_PPM,
    minAmount: minForward ?? before.forwarding?.minAmount ?? 1n,
    maxAmount: maxForward ?? before.forwarding?.maxAmount ?? MAX_AMOUNT,
  };
  if (forwarding.minAmount > forwarding.maxAmount) {
    throw usageFailure('INVALID_OPTION', '--min-forward is larger than --max-forward: nothing would be forwarded.');
  }
  return { forwarding, acceptAnything };
}

function announce({ status: describe, controlUrl, terminal: running }: Daemon, screen: Screen): void {
  const status = describe();
  screen.result({ ready: true, ...status, url: controlUrl, pid: process.pid }, () => [
    `${status.name} is running. Ctrl-C stops it.`,
    `  identity  ${status.identity}`,
    `  payout    ${status.payout} (send it coins for gas and deposits)`,
    `  contract  ${status.contract} on chain ${status.chainId}`,
    `  hub       ${status.hub}${status.online ? '' : ' (connecting)'}`,
    `  enclave   EMULATED, measurement ${status.measurement}`,
    `            attested by ${status.authority}`,
  ]);
  running.on('payment', ({ payment }) => {
    if (payment.phase !== 'DONE') return;
    const verb = { payer: 'paid', payee: 'received', intermediary: 'forwarded, fee' }[payment.role];
    screen.say(`${verb} ${formatAmount(payment.amount)}`);
  });
  running.on('link', ({ online, reason }) =>
    screen.say(online ? 'The hub is connected.' : `The hub is gone: ${reason}`),
  );
  running.on('trouble', (trouble) => {
    const { code, message } = asFailure(trouble);
    screen.warn(`${message} (${code})`);
  });
}
