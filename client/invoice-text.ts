/**
 * Invoices as text that people can hand over: `baro:` and base64url of a fixed layout. It names chain and contract, and
 * no hub: any hub that knows the payee will do. PROTOCOL.md section 4, "What an owner allowed" and "DONE travels".
 */

import {
  addressCodec,
  decode,
  encode,
  MalformedBytes,
  option,
  struct,
  type TypeOf,
  text,
  uint8,
  uint64big,
} from '../enclave/core/codec.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import type { Bytes32 } from '../enclave/core/ids.ts';
import { hashInvoice, type Invoice, isSignedInvoice, signedInvoiceCodec } from '../enclave/core/order.ts';
import { TerminalRefusal } from './refusal.ts';

const PREFIX = 'baro:';
const VERSION = 1;
/** Longer texts are refused before anything is decoded. */
const MAX_TEXT = 2_048;

const contentCodec = struct({
  version: uint8,
  chainId: uint64big,
  contract: addressCodec,
  signed: signedInvoiceCodec,
  /** Where the payer hands DONE evidence over: http:// or https:// */
  handoverUrl: option(text(512)),
});
type Content = Omit<TypeOf<typeof contentCodec>, 'version'>;

export interface DecodedInvoice {
  hash: Bytes32;
  invoice: Invoice;
  handoverUrl: string | null;
}

export function encodeInvoice(content: Content): string {
  if (content.handoverUrl !== null) checkHandoverUrl(content.handoverUrl);
  return PREFIX + toBase64Url(encode(contentCodec, { version: VERSION, ...content }));
}

/**
 * Reads an invoice and verifies that its payee signed it for this chain and contract.
 * @throws TerminalRefusal INVOICE_MALFORMED, INVOICE_OTHER_CHAIN, INVOICE_FORGED
 */
export function decodeInvoice(textOfInvoice: string, deployment: Deployment): DecodedInvoice {
  const { chainId, contract, signed, handoverUrl } = parse(textOfInvoice.trim());
  if (chainId !== deployment.chainId || contract !== deployment.contract) {
    throw new TerminalRefusal({
      code: 'INVOICE_OTHER_CHAIN',
      message: `The invoice is for the contract ${contract} on chain ${chainId}; this terminal uses ${deployment.contract} on chain ${deployment.chainId}. Pay it from a terminal there, or ask for an invoice for this one.`,
    });
  }
  if (!isSignedInvoice(deployment.domain, signed)) {
    throw new TerminalRefusal({
      code: 'INVOICE_FORGED',
      message: `The invoice was not signed by ${signed.invoice.payee}, whom it names as payee: it was changed on the way, or forged. Ask the payee for a new one over another channel.`,
    });
  }
  return { hash: hashInvoice(deployment.domain, signed.invoice), invoice: signed.invoice, handoverUrl };
}

/** @throws TerminalRefusal INVOICE_EXPIRED. `nowS` in unix seconds. */
export function requireUnexpired(invoice: Invoice, nowS: number): void {
  if (invoice.expiry > nowS) return;
  throw new TerminalRefusal({
    code: 'INVOICE_EXPIRED',
    message: `The invoice expired at ${new Date(invoice.expiry * 1_000).toISOString()}. Ask the payee for a new one (or set this machine's clock right).`,
  });
}

function parse(textOfInvoice: string): Content {
  if (!textOfInvoice.toLowerCase().startsWith(PREFIX)) throw malformed(`it does not begin with «${PREFIX}»`);
  if (textOfInvoice.length > MAX_TEXT) throw malformed(`it is longer than ${MAX_TEXT} characters`);
  const encoded = textOfInvoice.slice(PREFIX.length);
  const bytes = fromBase64Url(encoded);
  // Exactly one text stands for an invoice: spare bits at the end must be zero.
  if (!bytes || toBase64Url(bytes) !== encoded) throw malformed('it is not base64url');
  if (bytes[0] !== VERSION) {
    throw malformed(`it is of version ${bytes[0] ?? 'missing'}, this program reads ${VERSION}: update the older one`);
  }
  try {
    const content = decode(contentCodec, bytes);
    if (content.handoverUrl !== null) checkHandoverUrl(content.handoverUrl);
    return content;
  } catch (cause) {
    if (cause instanceof MalformedBytes) throw malformed(cause.message);
    throw cause;
  }
}

/** What Node and browsers both have. */
const toBase64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

function fromBase64Url(encoded: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]+$/.test(encoded) || encoded.length % 4 === 1) return null;
  return Uint8Array.from(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}

function checkHandoverUrl(url: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw malformed('the address for the proof of payment is not an http or https address');
  }
}

function malformed(why: string): TerminalRefusal {
  return new TerminalRefusal({
    code: 'INVOICE_MALFORMED',
    message: `This is no invoice that can be read: ${why}. Copy all of it, from «${PREFIX}» to its end, or ask the payee again.`,
  });
}
