/** Options that many commands have, and where state is kept unless told otherwise. */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { z } from 'zod';
import type { Call, ControlClient } from '../control-client.ts';
import { codeOf, EXIT_INTERRUPTED, Failure } from '../failure.ts';
import { listenForInterruption } from '../interruption.ts';

const home = (): string => join(homedir(), '.baro');
export const defaultPlatformDirectory = (): string => join(home(), 'platform');

export const dataOption = (): Option =>
  new Option('--data <dir>', "the terminal's directory").env('BARO_DATA').default(join(home(), 'terminal'));

export const directoryInput = z
  .string()
  .min(1, 'must name a directory')
  .transform((text) => resolve(text));

export const BACKGROUND = 'Talks to the terminal that runs on --data (start it with: baro terminal).';

/** Waits for what the daemon does; Ctrl-C ends the waiting, not the doing. @throws Failure INTERRUPTED */
export async function waitFor<Answer>(client: ControlClient, call: Call<Answer>): Promise<Answer> {
  const interruption = listenForInterruption(() => process.exit(EXIT_INTERRUPTED));
  const leaving = new AbortController();
  try {
    return await Promise.race([client.call({ ...call, signal: leaving.signal }), interruption.raised]);
  } catch (error) {
    if (codeOf(error) !== 'INTERRUPTED') throw error;
    throw new Failure(
      'INTERRUPTED',
      'No longer waiting, but the terminal goes on with it. See what came of it: baro payments, baro channel list.',
      { exitCode: EXIT_INTERRUPTED },
    );
  } finally {
    leaving.abort();
    interruption.release();
  }
}
