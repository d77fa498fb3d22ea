/** Options that many commands have, and where state is kept unless told otherwise. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Option } from 'commander';
import { z } from 'zod';
import { integerInput } from '../command.ts';
import { type Call, ControlClient } from '../control-client.ts';
import { codeOf, EXIT_INTERRUPTED, Failure } from '../failure.ts';
import { listenForInterruption } from '../interruption.ts';
import type { Screen } from '../screen.ts';

const home = (): string => join(homedir(), '.baro');
export const defaultPlatformDirectory = (): string => join(home(), 'platform');

export const secondsInput = integerInput({ from: 1, to: 10 * 365 * 24 * 3600 });

export const dataOption = (): Option =>
  new Option('--data <dir>', "the terminal's directory").env('BARO_DATA').default(join(home(), 'terminal'));

/** Instead of the owner's directory, for what a cashier may do. */
export const credentialsOption = (): Option =>
  new Option('--credentials <file>', 'act as the cashier whose file this is, instead of --data').env(
    'BARO_CREDENTIALS',
  );

export const directoryInput = z
  .string()
  .min(1, 'must name a directory')
  .transform((text) => resolve(text));

/** For commands that a cashier may use. */
export const accessInput = { data: directoryInput, credentials: directoryInput.optional() };

/** @throws Failure NO_DAEMON, NO_CREDENTIALS */
export const openAs = (who: { data: string; credentials?: string | undefined }): Promise<ControlClient> =>
  who.credentials === undefined ? ControlClient.open(who.data) : ControlClient.openAs(who.credentials);

export const BACKGROUND = 'Talks to the terminal that runs on --data (start it with: baro terminal).';

const STILL_GOING =
  'No longer waiting, but the terminal goes on with it. See what came of it: baro payments, baro channel list.';

/**
 * Waits for what the daemon does; Ctrl-C ends the waiting, not the doing.
 * @param after what is said then @throws Failure INTERRUPTED
 */
export async function waitFor<Answer>(
  client: ControlClient,
  call: Call<Answer>,
  after: string = STILL_GOING,
): Promise<Answer> {
  const interruption = listenForInterruption(() => process.exit(EXIT_INTERRUPTED));
  const leaving = new AbortController();
  try {
    return await Promise.race([client.call({ ...call, signal: leaving.signal }), interruption.raised]);
  } catch (error) {
    if (codeOf(error) !== 'INTERRUPTED') throw error;
    throw new Failure('INTERRUPTED', after, { exitCode: EXIT_INTERRUPTED });
  } finally {
    leaving.abort();
    interruption.release();
  }
}

const RETRY_MS = 500;

/**
 * Asks again and again, across restarts of the terminal, until there is an answer; Ctrl-C ends it.
 * @param ask opens a client of its own each time: a terminal that was restarted listens elsewhere
 * @param onGone told once for each time that the terminal went away
 * @throws Failure INTERRUPTED, with `after`, and whatever `ask` refuses but an absent terminal
 */
export async function untilAnswered<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  words: { after: string; onGone: () => void },
): Promise<Answer> {
  const interruption = listenForInterruption(() => process.exit(EXIT_INTERRUPTED));
  const leaving = new AbortController();
  try {
    for (let wasThere = true; ; ) {
      try {
        return await Promise.race([ask(leaving.signal), interruption.raised]);
      } catch (error) {
        if (codeOf(error) === 'INTERRUPTED') throw interrupted(words.after);
        if (!isAway(error)) throw error;
        if (wasThere) words.onGone();
        wasThere = false;
      }
      const pause = new Promise((again) => setTimeout(again, RETRY_MS));
      await Promise.race([pause, interruption.raised]).catch(() => {
        throw interrupted(words.after);
      });
    }
  } finally {
    leaving.abort();
    interruption.release();
  }
}

const isAway = (error: unknown): boolean => ['NO_DAEMON', 'DAEMON_GONE', 'STOPPED'].includes(codeOf(error) ?? '');

const interrupted = (after: string): Failure => new Failure('INTERRUPTED', after, { exitCode: EXIT_INTERRUPTED });

export const yesOption = (): Option => new Option('--yes', 'do it without asking');

/**
 * Before what costs money or cannot be taken back: asks a person, and asks a program to say `--yes`.
 * @throws Failure NOT_CONFIRMED
 */
export async function confirm(screen: Screen, about: { yes: boolean; warning: readonly string[] }): Promise<void> {
  if (about.yes) return screen.say(...about.warning);
  screen.warn(...about.warning);
  const refused = new Failure('NOT_CONFIRMED', 'Nothing was done. Add --yes to go on.');
  if (!screen.isTerminal || !process.stdin.isTTY) throw refused;
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asking.question('Go on? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw refused;
  } finally {
    asking.close();
  }
}
