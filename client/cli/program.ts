/** All commands of `baro` under one name, and how they end: exit codes, and errors as words or as JSON. */

import { Command, CommanderError } from 'commander';
import { type CommandSpec, type Outcome, toCommander } from './command.ts';
import { balance, status } from './commands/balance.ts';
import { cashierAdd, cashierList, cashierRemove } from './commands/cashier.ts';
import { chain } from './commands/chain.ts';
import { channelClose, channelDeposit, channelEject, channelList, channelOpen, withdraw } from './commands/channel.ts';
import { demo } from './commands/demo.ts';
import { dev } from './commands/dev.ts';
import { runHub } from './commands/hub.ts';
import { invoice, invoiceCancel, invoiceList, invoiceWait } from './commands/invoice.ts';
import { pay, refund } from './commands/pay.ts';
import { payments, paymentsExport, paymentsRecord, paymentsShow } from './commands/payments.ts';
import { terminal } from './commands/terminal.ts';
import { asFailure, EXIT_USAGE, Failure, usageFailure } from './failure.ts';
import { Screen, type Writer } from './screen.ts';

const EXIT_CODES = `
Exit codes:
  0    done
  1    refused or failed; the message says why and what to do next
  2    wrong usage or configuration; nothing was tried
  130  interrupted

Amounts: 1.5eth, 20gwei, 1000wei, or an integer of base units (wei). Every command takes --json.
The enclaves are EMULATED: keep test money in them only.`;

/** @returns the exit code; never throws */
export async function runProgram(
  argv: readonly string[],
  writers: { out?: Writer; err?: Writer } = {},
): Promise<number> {
  const json = argv.includes('--json') || argv.includes('--json-ready');
  const screen = new Screen({ json, ...writers });
  const outcome: Outcome = { exitCode: 0 };
  let help = '';
  try {
    // The hub's options are the hub's business, its --help included.
    if (argv[0] === 'hub') return await runHub(argv.slice(1));
    const program = buildProgram(
      { screen, outcome },
      { out: (text) => screen.help(text), err: (text) => (help += text) },
    );
    await program.parseAsync([...argv], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = error instanceof CommanderError ? usageError(error) : asFailure(error);
    if (failure.code === 'NO_COMMAND' && !json) screen.warn(help);
    screen.failed(failure);
    return failure.exitCode;
  }
}

const usageError = (error: CommanderError): Failure =>
  error.code === 'commander.help'
    ? usageFailure('NO_COMMAND', 'No command was given. See baro --help')
    : new Failure('USAGE', `${error.message.replace(/^error: /, '').replace(/\.$/, '')}. See --help`, {
        exitCode: EXIT_USAGE,
      });

function buildProgram(
  about: { screen: Screen; outcome: Outcome },
  write: { out: (text: string) => void; err: (text: string) => void },
): Command {
  const program = new Command('baro')
    .description('Instant payments off chain, through a hub that cannot take anybody’s money.')
    .addHelpText('after', EXIT_CODES);
  const made = <Input>(spec: CommandSpec<Input>): Command => toCommander(spec, about);
  const channel = new Command('channel').description('open, fund, list, close and leave channels');
  const cashier = new Command('cashier').description('credentials for others: add, list and remove');
  const hub = new Command('hub').description('run the hub (baro hub --help shows its options)');
  const commands = [
    ...[made(dev), made(demo), hub, made(terminal), made(chain), made(status), made(balance)],
    ...[made(pay), made(refund), made(withdraw)],
    group(made(invoice), [made(invoiceList), made(invoiceWait), made(invoiceCancel)]),
    group(made(payments), [
      made({ ...payments, name: 'list' }),
      made(paymentsShow),
      made(paymentsExport),
      made(paymentsRecord),
    ]),
    group(channel, [
      made(channelOpen),
      made(channelDeposit),
      made(channelList),
      made(channelClose),
      made(channelEject),
    ]),
    group(cashier, [made(cashierAdd), made(cashierList), made(cashierRemove)]),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of allCommands(program)) {
    // Errors are shown once, by us; help that answers a mistake is kept until then.
    command.exitOverride().configureOutput({ writeOut: write.out, writeErr: write.err });
  }
  return program;
}

/** Options behind a subcommand's name are the subcommand's, though its parent has some of the same name. */
function group(parent: Command, children: readonly Command[]): Command {
  parent.enablePositionalOptions();
  for (const child of children) parent.addCommand(child);
  return parent;
}

const allCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(allCommands)];
