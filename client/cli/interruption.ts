/** Being asked to end: Ctrl-C, a closed terminal window, or a polite kill. The second time means at once. */

import { EXIT_INTERRUPTED, Failure } from './failure.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Rejects with INTERRUPTED at the first signal. Never resolves. */
  raised: Promise<never>;
  /** Stops listening: the next signal does what it always does. */
  release(): void;
}

/** @param onSecond called when the user does not want to wait for an orderly end */
export function listenForInterruption(onSecond: () => void): Interruption {
  let reject: (failure: Failure) => void = () => undefined;
  let seen = false;
  const raised = new Promise<never>((_resolve, rejectRaised) => {
    reject = rejectRaised;
  });
  raised.catch(() => undefined);
  const onSignal = (signal: NodeJS.Signals): void => {
    if (seen) return onSecond();
    seen = true;
    reject(new Failure('INTERRUPTED', `Interrupted by ${signal}.`, { exitCode: EXIT_INTERRUPTED }));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    raised,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
