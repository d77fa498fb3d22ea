/** Being asked to end: Ctrl-C, a closed terminal window, or a polite kill. The second time means at once. */

import { EXIT_INTERRUPTED, Failure } from './failure.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Rejects with INTERRUPTED at the first signal. Never resolves. */
  raised: Promise<never>;
  /** Stops listening: the next signal does what it always does. */
  release(): void;
}

/**
 * @param options.onSecond called when the user does not want to wait for an orderly end
 * @param options.stdin also the end of stdin interrupts: the parent that held its other end is gone
 */
export function listenForInterruption(options: { onSecond: () => void; stdin?: boolean }): Interruption {
  let reject: (failure: Failure) => void = () => undefined;
  let seen = false;
  const raised = new Promise<never>((_resolve, rejectRaised) => {
    reject = rejectRaised;
  });
  raised.catch(() => undefined);
  const raise = (reason: string): void => {
    seen = true;
    reject(new Failure('INTERRUPTED', `Interrupted by ${reason}.`, { exitCode: EXIT_INTERRUPTED }));
  };
  const onSignal = (signal: NodeJS.Signals): void => (seen ? options.onSecond() : raise(signal));
  const onEnd = (): void => raise('the end of its parent');
  if (options.stdin === true) process.stdin.resume().once('end', onEnd);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    raised,
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
      if (options.stdin !== true) return;
      // An open stdin would keep the process alive.
      process.stdin.off('end', onEnd);
      process.stdin.destroy();
    },
  };
}
