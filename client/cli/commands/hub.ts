/** `baro hub`: the hub is a program of its own; this starts it with whatever options were given. */

import { spawn } from 'node:child_process';
import { Failure, reasonOf } from '../failure.ts';
import { programFile } from '../programs.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SIGNAL_EXIT = 128;
const SIGINT_NUMBER = 2;

/** Runs until the hub has ended. @returns its exit code */
export async function runHub(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [programFile('hub/main.js'), ...args], { stdio: 'inherit' });
  // Ctrl-C reaches the hub as well, which drains; we only wait. Other signals reach us alone.
  const forward = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT') child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error) =>
        reject(new Failure('HUB_NOT_STARTED', `The hub could not be started: ${reasonOf(error)}.`, { cause: error })),
      );
      child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : SIGNAL_EXIT + SIGINT_NUMBER)));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, forward);
  }
}
