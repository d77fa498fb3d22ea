/**
 * The frame of `dev` and `demo`: a directory, a network in it, and an orderly end in every case, be it success, failure,
 * a child that dies, or a signal.
 */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { banner, EMULATED_WARNING } from './banner.ts';
import { Children } from './children.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, usageFailure } from './failure.ts';
import { listenForInterruption } from './interruption.ts';
import { type Network, startNetwork } from './network.ts';
import { type OpenedChannel, openChannels } from './scenario.ts';
import type { Screen } from './screen.ts';

export interface Running {
  network: Network;
  channels: readonly OpenedChannel[];
  /** Prints what has been done, with the seconds since the start. */
  step: (done: string) => void;
  seconds: () => string;
  /** Everything is done that was asked for: from now on a signal is the normal end. Never resolves. */
  stayUp: () => Promise<never>;
}

/**
 * @param options.data undefined: a fresh temporary directory, removed at the end unless `keep`
 * @param work is abandoned when a signal comes or a child dies
 */
export async function inSession(
  options: { data: string | undefined; keep: boolean; screen: Screen },
  work: (running: Running) => Promise<number>,
): Promise<number> {
  const { screen, data } = options;
  const begun = performance.now();
  const seconds = (): string => ((performance.now() - begun) / 1000).toFixed(1);
  const step = (done: string): void => screen.say(`${seconds().padStart(6)} s  ${done}`);
  if (data !== undefined) await requireEmpty(data);
  screen.warn(
    ...banner([
      EMULATED_WARNING,
      'INSECURE owner keys, as plain text in the data directory: coins of this chain are worth nothing.',
    ]),
  );
  const children = new Children();
  const interruption = listenForInterruption(() => {
    children.killAll();
    process.exit(EXIT_INTERRUPTED);
  });
  const directory = data ?? (await mkdtemp(join(tmpdir(), 'baro-')));
  let network: Network | undefined;
  let finished = false;
  const stayUp = async (): Promise<never> => {
    finished = true;
    return await new Promise<never>(() => undefined);
  };
  const interrupted = interruption.raised.catch((error: unknown) => {
    if (finished) return EXIT_DONE;
    throw error;
  });
  const all = async (): Promise<number> => {
    network = await startNetwork({ directory, children, step });
    const channels = await openChannels(network, step);
    return await work({ network, channels, step, seconds, stayUp });
  };
  let failed = true;
  try {
    const exitCode = await Promise.race([all(), children.lost, interrupted]);
    failed = false;
    return exitCode;
  } finally {
    screen.say('', 'Stopping chain, hub and terminals…');
    network?.provider.destroy();
    await children.stopAll();
    if (data === undefined && !options.keep && !failed) await rm(directory, { recursive: true, force: true });
    else screen.say(`Everything is kept in ${directory}`);
    screen.say('Stopped; nothing is left running.');
    interruption.release();
  }
}

/** The chain begins anew each time, so state of an earlier one would only be in the way. @throws Failure DATA_NOT_EMPTY */
async function requireEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory).catch(() => []);
  if (entries.length === 0) return;
  throw usageFailure(
    'DATA_NOT_EMPTY',
    `${directory} is not empty, and the chain begins anew each time. Choose another --data.`,
  );
}
