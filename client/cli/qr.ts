/** QR codes on a terminal, two rows of dots in one line of text. */

import { renderUnicodeCompact } from 'uqr';

/** Quiet zone that readers ask for, in dots; the usual four make it too large for small windows. */
const BORDER = 2;
/** Black on white whatever the colours of the window are: readers want it that way round. */
const WHITE_ON_BLACK = '\u001b[97;40m';
const RESET = '\u001b[0m';

export function qrLines(text: string): string[] {
  const code = renderUnicodeCompact(text, { ecc: 'L', border: BORDER });
  return code.split('\n').map((line) => `${WHITE_ON_BLACK}${line}${RESET}`);
}
