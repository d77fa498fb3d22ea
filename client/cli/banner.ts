/**
 * What a user must know before trusting money to this program; printed at every start, whatever the log level
 * (PROTOCOL.md section 2: the emulation is named wherever a user meets it).
 */

export const EMULATED_WARNING =
  'EMULATED enclave: keys and state are kept apart by interface, not protected against whoever controls this machine.';

export const insecureKeyWarning = (file: string): string =>
  `INSECURE owner key: ${file} holds it as plain text. Whoever reads that file owns the payouts. Use test money only.`;

/** Lines of a box that nobody overlooks in a log. */
export function banner(warnings: readonly string[]): string[] {
  const rule = '!'.repeat(78);
  return [rule, ...warnings.map((warning) => `! ${warning}`), rule];
}
