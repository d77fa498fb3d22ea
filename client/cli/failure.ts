/**
 * Why a command ends without having done what it was asked: a stable code, words for a person, and an exit code.
 * Exit codes of every command: 0 done, 1 refused or failed, 2 usage or configuration, 130 interrupted.
 */

export const EXIT_DONE = 0;
export const EXIT_REFUSED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

export class Failure extends Error {
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode ?? EXIT_REFUSED;
  }
}

/** The command line or the configuration is wrong; nothing was tried. */
export const usageFailure = (code: string, message: string): Failure =>
  new Failure(code, message, { exitCode: EXIT_USAGE });

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The code that an error of any origin carries (Node's system errors and refusals have one), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Anything thrown, as a failure that can be shown. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(codeOf(error) ?? 'FAILED', reasonOf(error), { cause: error });
}
