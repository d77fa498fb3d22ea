/**
 * What a terminal says when it does not do what its owner asked for: a stable code, and words that say what happened,
 * why, and what to do next. Nothing has moved when one of these is thrown, unless its message says so.
 */

/** Every code that this library itself refuses with; refusals of hub and enclave keep the codes they came with. */
export const REFUSAL_CODES = [
  'AMOUNT_OUT_OF_RANGE',
  'BEYOND_HORIZON',
  'CHAIN_UNREACHABLE',
  'CHANNEL_UNKNOWN',
  'DATA_CORRUPT',
  'DATA_IN_USE',
  'DISK_FULL',
  'HANDOVER_MALFORMED',
  'HUB_REFUSED',
  'HUB_UNREACHABLE',
  'INVOICE_EXPIRED',
  'INVOICE_FORGED',
  'INVOICE_MALFORMED',
  'INVOICE_OTHER_CHAIN',
  'NO_ROUTE',
  'NOT_ENOUGH_BALANCE',
  'PAYEE_OFFLINE',
  'PAYMENT_PENDING',
  'PEER_OFFLINE',
  'PEER_SILENT',
  'SELF_PAYMENT',
  'STOPPED',
  'TRANSACTION_FAILED',
  'UNKNOWN_PAYEE',
  'UNKNOWN_PEER',
  'WRONG_CHAIN',
  'WRONG_DEPLOYMENT',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Thrown by every method of `Terminal` that does not do what was asked. */
export class TerminalRefusal extends Error {
  override readonly name = 'TerminalRefusal';
  readonly code: string;
  /** What a program may want to know of it (ids, amounts as decimal strings). */
  readonly facts: Readonly<Record<string, string>>;

  constructor(
    refusal: { code: RefusalCode | (string & {}); message: string; facts?: Record<string, string> },
    options?: ErrorOptions,
  ) {
    super(refusal.message, options);
    this.code = refusal.code;
    this.facts = refusal.facts ?? {};
  }
}

/** The code of an error that carries one (an enclave's refusal, a system error), else null. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Anything thrown below, as a refusal: with its own code where it has one. */
export function asRefusal(error: unknown, otherwise: RefusalCode): TerminalRefusal {
  if (error instanceof TerminalRefusal) return error;
  return new TerminalRefusal({ code: codeOf(error) ?? otherwise, message: messageOf(error) }, { cause: error });
}
