#!/usr/bin/env node
/**
 * The hub as a program. Ready and refused are said on stdout and stderr in words, or with --json-ready on stdout as one
 * line of JSON, also where the options are wrong; the log goes to stderr as JSON.
 */

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { exitCodeOf, startHub } from './hub.ts';

interface Options {
  data: string;
  rpc: string;
  contract: string;
  chainId: string;
  port: string;
  host: string;
  publicName: string[];
  confirmations: string;
  fromBlock: string;
  restartGraceMs: string;
  acceptAuthority: string[];
  acceptMeasurement: string[];
  acceptEmulated: boolean;
  jsonReady: boolean;
  logLevel: string;
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'];
const collect = (value: string, before: string[]): string[] => [...before, value];

function level(value: string): string {
  if (LEVELS.includes(value)) return value;
  throw new InvalidArgumentError(`Choose one of ${LEVELS.join(', ')}.`);
}

/** Asked before the options are read: they may be what is wrong. */
const isJson = process.argv.includes('--json-ready');

const program = new Command('hub')
  .description('Routes and drives payments between terminals. It holds no money and no keys.')
  .requiredOption('--data <directory>', 'where the database is kept')
  .requiredOption('--rpc <url>', 'JSON-RPC of the chain')
  .requiredOption('--contract <address>', 'the channel contract')
  .requiredOption('--chain-id <number>', 'the chain that the contract is on')
  .option('--port <number>', 'port for HTTP and WebSocket; 0: a free one', '0')
  .option('--host <host>', 'address to listen on', '127.0.0.1')
  .option(
    '--public-name <name>',
    'host[:port] by which terminals dial this hub, beside the address that it listens on (repeatable)',
    collect,
    [],
  )
  .option('--confirmations <number>', 'blocks until an event of the chain counts', '1')
  .option('--from-block <number>', 'block of the contract, where the first reading begins', '0')
  .option('--restart-grace-ms <ms>', 'how long orders wait for terminals to come back after a restart', '5000')
  .option('--accept-authority <address>', 'attestation authority whose quotes are accepted (repeatable)', collect, [])
  .option('--accept-measurement <hash>', 'measurement of an accepted enclave image (repeatable)', collect, [])
  .option('--accept-emulated', 'accept quotes of the EMULATED platform, which protects by interface alone', false)
  .option('--json-ready', 'say that the hub is ready, or why not, as one line of JSON on stdout', false)
  .option('--log-level <level>', `one of ${LEVELS.join(', ')}`, level, 'info')
  .exitOverride()
  .configureOutput({ writeErr: (text) => (isJson ? undefined : process.stderr.write(text)) });

async function run(options: Options): Promise<number> {
  const log = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
  const { data, rpc, contract, chainId, port, host, confirmations, fromBlock, acceptEmulated } = options;
  const hub = await startHub(
    {
      ...{ data, rpc, contract, chainId, port, host, confirmations, fromBlock, acceptEmulated },
      publicNames: options.publicName,
      settings: { restartGraceMs: options.restartGraceMs },
      acceptAuthorities: options.acceptAuthority,
      acceptMeasurements: options.acceptMeasurement,
    },
    log,
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      void hub.stop();
    });
  }
  const ready = { ready: true, url: hub.url, port: hub.port, pid: process.pid };
  process.stdout.write(options.jsonReady ? `${JSON.stringify(ready)}\n` : `The hub is ready at ${hub.url}\n`);
  const error = await hub.ended;
  if (!error) return 0;
  void hub.stop();
  return refused(error);
}

function refused(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'FAILED';
  say(code, error instanceof Error ? error.message : String(error));
  return exitCodeOf(error);
}

function say(code: string, message: string): void {
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`${code}: ${message}\n`);
}

/** Commander has said it in words already, unless JSON is wanted. */
function misused(error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  if (isJson) say('USAGE', `${error.message.replace(/^error: /, '')}. See hub --help.`);
  return 2;
}

try {
  program.parse();
  process.exitCode = await run(program.opts<Options>());
} catch (error) {
  process.exitCode = error instanceof CommanderError ? misused(error) : refused(error);
}
