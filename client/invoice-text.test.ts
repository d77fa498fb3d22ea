import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainSeparator } from '../enclave/core/encoding.ts';
import { address, bytes16, type Identity, NATIVE } from '../enclave/core/ids.ts';
import { derivePartyKey, sign } from '../enclave/core/keys.ts';
import { hashInvoice, type Invoice, invoiceDigest } from '../enclave/core/order.ts';
import { decodeInvoice, encodeInvoice, requireUnexpired } from './invoice-text.ts';
import { TerminalRefusal } from './refusal.ts';

const contract = address(`0x${'c0'.repeat(20)}`);
const deployment = { chainId: 31337n, contract, domain: domainSeparator(31337n, contract) };
const payee = derivePartyKey(new Uint8Array(32).fill(7), 0);

function signed(change: Partial<Invoice> = {}, signer = payee) {
  const invoice: Invoice = {
    payee: payee.address as Identity,
    token: NATIVE,
    amount: 1_234n,
    expiry: 2_000_000_000,
    reference: bytes16(`0x${'03'.repeat(16)}`),
    description: 'tea für zwei ☕',
    ...change,
  };
  return { invoice, signature: sign(invoiceDigest(deployment.domain, invoice), signer) };
}
const content = (handoverUrl: string | null = 'https://shop.example/handover') => ({
  ...{ chainId: 31337n, contract, signed: signed(), handoverUrl },
});
const refusal = (code: string) => expect.objectContaining({ code }) as TerminalRefusal;

describe('an invoice as text', () => {
  it.each(['https://shop.example/handover', null])('comes back as it was, with the hand-over address %s', (url) => {
    const text = encodeInvoice(content(url));
    expect(text).toMatch(/^baro:[A-Za-z0-9_-]+$/);
    const { invoice } = signed();
    expect(decodeInvoice(`  ${text}\n`, deployment)).toEqual({
      ...{ invoice, handoverUrl: url },
      hash: hashInvoice(deployment.domain, invoice),
    });
  });

  it('is refused as forged where another than its payee signed it', () => {
    const thief = derivePartyKey(new Uint8Array(32).fill(8), 0);
    const text = encodeInvoice({ ...content(), signed: signed({}, thief) });
    expect(() => decodeInvoice(text, deployment)).toThrow(refusal('INVOICE_FORGED'));
  });

  it('is refused where it is for another chain or contract', () => {
    for (const change of [{ chainId: 1n }, { contract: address(`0x${'c1'.repeat(20)}`) }]) {
      expect(() => decodeInvoice(encodeInvoice({ ...content(), ...change }), deployment)).toThrow(
        refusal('INVOICE_OTHER_CHAIN'),
      );
    }
  });

  it('is refused in words where any of its characters is changed, cut off or added; only the address may differ', () => {
    const text = encodeInvoice(content(null));
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom('A', 'B', 'z', '0', '9', '-', '_', ' ', '=', '+', '/', 'é'),
        (at, letter) => {
          fc.pre(text[at] !== letter && at >= 'baro:'.length);
          expect(() => decodeInvoice(text.slice(0, at) + letter + text.slice(at + 1), deployment)).toThrow(
            TerminalRefusal,
          );
        },
      ),
    );
    for (let length = 0; length < text.length; length++) {
      expect(() => decodeInvoice(text.slice(0, length), deployment)).toThrow(refusal('INVOICE_MALFORMED'));
    }
    expect(() => decodeInvoice(`${text}AAAA`, deployment)).toThrow(refusal('INVOICE_MALFORMED'));
  });

  it.each(['', 'lightning:abc', 'baro:', `baro:${'A'.repeat(3_000)}`])('is refused in words where it is %j', (text) => {
    expect(() => decodeInvoice(text, deployment)).toThrow(refusal('INVOICE_MALFORMED'));
  });

  it('never sends proof to anything but a web address', () => {
    for (const url of ['file:///etc/passwd', 'javascript:alert(1)', 'shop']) {
      expect(() => encodeInvoice(content(url))).toThrow(refusal('INVOICE_MALFORMED'));
    }
  });

  it('is refused from the second of its expiry on', () => {
    const { invoice } = signed();
    expect(() => requireUnexpired(invoice, invoice.expiry - 1)).not.toThrow();
    expect(() => requireUnexpired(invoice, invoice.expiry)).toThrow(refusal('INVOICE_EXPIRED'));
  });
});
