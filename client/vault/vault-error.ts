/** Why a vault could not do its work, in words; what it had acknowledged before is untouched. */

/** ENOSPC: the disk is full; the same record may be appended again when there is room. */
export type VaultErrorCode = 'DATA_IN_USE' | 'DATA_CORRUPT' | 'ENOSPC' | 'DISK_FAILED' | 'CLOSED';

export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly code: VaultErrorCode;

  constructor(refusal: { code: VaultErrorCode; message: string }, options?: ErrorOptions) {
    super(refusal.message, options);
    this.code = refusal.code;
  }
}

/** What the operating system said about a write, as one of ours. */
export function diskError(error: unknown, file: string): VaultError {
  if (error instanceof VaultError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new VaultError(
      {
        code: 'ENOSPC',
        message: `No room left to write ${file}. Nothing was acknowledged and nothing is lost; make room and it goes on.`,
      },
      { cause: error },
    );
  }
  return new VaultError(
    {
      code: 'DISK_FAILED',
      message: `${file} could not be written (${code}). Nothing was acknowledged; check the disk and its permissions.`,
    },
    { cause: error },
  );
}
