/** Waiting for something that may never come: every wait has an end and says so in words. */

import type { TerminalRefusal } from './refusal.ts';

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  // Whoever made it may never look: that is no unhandled rejection.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** The promise's own end, or `late()` thrown after `ms`. */
export async function within<T>(promise: Promise<T>, limit: { ms: number; late: () => TerminalRefusal }): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(limit.late()), limit.ms);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
