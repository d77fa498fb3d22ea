/**
 * What every command of `baro` has in common: `--json`, checked input, examples in its help, and one way to fail.
 * A command is data and a function; program.ts hangs all of them under one name.
 */

import { Command, type Option } from 'commander';
import { z } from 'zod';
import { parseAmount } from './amount.ts';
import { Failure, usageFailure } from './failure.ts';
import type { Screen } from './screen.ts';

export interface CommandSpec<Input> {
  name: string;
  summary: string;
  /** More than one line, for the command's own help. */
  description?: string;
  arguments?: readonly { flags: string; description: string }[];
  options: readonly Option[];
  examples: readonly string[];
  /** Arguments by their names, and options by theirs. */
  input: z.ZodType<Input>;
  /** @returns the exit code, 0 where undefined */
  run: (input: Input, screen: Screen) => Promise<number | undefined>;
}

/** Where a command leaves its result for main.ts. */
export interface Outcome {
  exitCode: number;
}

/** @param about the screen to write on, and where the exit code goes */
export function toCommander<Input>(spec: CommandSpec<Input>, about: { screen: Screen; outcome: Outcome }): Command {
  const command = new Command(spec.name).summary(spec.summary).description(spec.description ?? spec.summary);
  for (const { flags, description } of spec.arguments ?? []) command.argument(flags, description);
  for (const option of spec.options) command.addOption(option);
  command.option('--json', 'one JSON document on stdout, everything else on stderr');
  command.addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`);
  command.action(async () => {
    const given: Record<string, unknown> = { ...command.opts(), ...givenBefore(command) };
    for (const [at, argument] of command.registeredArguments.entries()) given[argument.name()] = command.args[at];
    delete given['json'];
    about.outcome.exitCode = (await spec.run(check(spec.input, given, command), about.screen)) ?? 0;
  });
  return command;
}

/** Options that stood before the name of a subcommand (`baro invoice --data X list`) are meant for it. */
function givenBefore(command: Command): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (let at = command.parent; at !== null; at = at.parent) {
    for (const option of at.options) {
      const name = option.attributeName();
      if (at.getOptionValueSource(name) !== 'cli' || name === 'json') continue;
      if (!command.options.some((own) => own.attributeName() === name)) {
        throw usageFailure('USAGE', `${option.long ?? name} is no option of ${pathOf(command)}. See --help`);
      }
      if (command.getOptionValueSource(name) !== 'cli') given[name] = at.getOptionValue(name);
    }
  }
  return given;
}

/** @throws Failure INVALID_OPTION, or the failure of the first value that is wrong */
function check<Input>(schema: z.ZodType<Input>, given: Record<string, unknown>, command: Command): Input {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = String(issue?.path[0] ?? '');
  const option = command.options.find((candidate) => candidate.attributeName() === key);
  const named = option?.long ?? (key === '' ? command.name() : `<${key}>`);
  const own: unknown = issue?.code === 'custom' ? issue.params?.['code'] : undefined;
  const code = typeof own === 'string' ? own : 'INVALID_OPTION';
  throw usageFailure(code, `${named}: ${issue?.message ?? 'is wrong'}. See baro ${pathOf(command)} --help`);
}

function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at = command; at.parent !== null; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

const readAmount = (text: string, context: z.RefinementCtx): bigint => {
  try {
    return parseAmount(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.addIssue({ code: 'custom', message: error.message.replace(/\.$/, ''), params: { code: error.code } });
    return z.NEVER;
  }
};

/** An amount as amount.ts reads it. */
export const amountInput = z.string().transform(readAmount);

/** As an amount, but a fee of nothing may be meant. */
export const feeInput = z.string().transform((text, context) => (text === '0' ? 0n : readAmount(text, context)));

/** An integer within bounds. */
export const integerInput = (bounds: { from: number; to: number }) =>
  z.string().transform((text, context): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= bounds.from && value <= bounds.to) return value;
    context.addIssue(
      `must be a whole number from ${bounds.from} to ${bounds.to}, not ${JSON.stringify(text.slice(0, 40))}`,
    );
    return z.NEVER;
  });

export const portInput = integerInput({ from: 0, to: 65_535 });

/** 0x and `bytes` bytes of hex, as lower case. */
export const hexInput = (bytes: number, what: string) =>
  z
    .string()
    .transform((text) => text.toLowerCase())
    .refine((text) => text.length === 2 + 2 * bytes && /^0x[0-9a-f]*$/.test(text), {
      message: `must be ${what}: 0x and ${2 * bytes} hex digits. Shortened ones from the screen do not work; --json shows the whole`,
    });
