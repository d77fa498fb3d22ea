import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { encode } from '../enclave/core/codec.ts';
import { identity, NATIVE, paymentId, ZERO_32 } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import { stepCodec } from '../enclave/core/round-messages.ts';
import { composeHandover, deliverHandover, parseHandover } from './handover.ts';

const ID = paymentId(`0x${'01'.repeat(32)}`);
const who = (byte: number) => identity(`0x${byte.toString(16).padStart(2, '0').repeat(20)}`);
const mac = (byte: number) => new Uint8Array(16).fill(byte);
const view: PaymentView = {
  ...{ paymentId: ID, phase: 'DONE', role: 'payer', token: NATIVE, amount: 5n, invoice: ZERO_32, orderId: ZERO_32 },
  ...{ payer: who(2), payee: who(3), expiry: 1, participants: [who(1), who(2), who(3)], frozen: false, transfers: [] },
};

const servers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of servers.splice(0)) await stop();
});

/** Answers with these statuses, one after the other, and keeps what came. */
async function payee(...statuses: number[]) {
  const bodies: Uint8Array[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(new Uint8Array(Buffer.concat(chunks)));
      response.writeHead(statuses[bodies.length - 1] ?? 500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/handover` };
}
const options = (failures: unknown[] = []) => ({
  signal: new AbortController().signal,
  onFailure: (error: unknown) => failures.push(error),
});

describe('the proof of a completed payment', () => {
  it('is the payer’s evidence for the payee, whatever the order of the participants', () => {
    const answer = { kind: 'completed' as const, paymentId: ID, evidence: [mac(1), mac(3)], balances: [] };
    const expected = { kind: 'completeByDone' as const, paymentId: ID, from: who(2), evidence: mac(3) };
    const step = composeHandover(answer, view, who(2));
    expect(step && parseHandover(step)).toEqual(expected);
    const shuffled = { ...view, participants: [who(3), who(1), who(2)] };
    expect(composeHandover(answer, shuffled, who(2))).toEqual(step);
  });

  it('does not exist before the own enclave has completed', () => {
    const answer = { kind: 'updated' as const, paymentId: ID, evidence: [mac(1), mac(3)] };
    expect(composeHandover(answer, view, who(2))).toBeNull();
  });

  it('is refused in words where it is any other step, or no step', () => {
    const update = encode(stepCodec, { kind: 'update', paymentId: ID, evidence: mac(1) });
    for (const bytes of [update, update.subarray(1), new Uint8Array()]) {
      expect(() => parseHandover(bytes)).toThrow(expect.objectContaining({ code: 'HANDOVER_MALFORMED' }) as Error);
    }
  });

  it('is sent again while the payee’s server is not ready, until it takes it', async () => {
    const server = await payee(503, 204);
    const failures: unknown[] = [];
    expect(await deliverHandover(server.url, new Uint8Array([7, 8]), options(failures))).toBe(true);
    expect(server.bodies).toEqual([new Uint8Array([7, 8]), new Uint8Array([7, 8])]);
    expect(failures).toHaveLength(1);
  });

  it('is not sent again where the payee refuses it, nor followed to another address', async () => {
    const refusing = await payee(409);
    expect(await deliverHandover(refusing.url, new Uint8Array([7]), options())).toBe(false);
    expect(refusing.bodies).toHaveLength(1);
    const away = await payee(302, 302, 302);
    expect(await deliverHandover(away.url, new Uint8Array([7]), options())).toBe(false);
  });

  it('is given up, harmlessly, where nobody answers', async () => {
    const failures: unknown[] = [];
    expect(await deliverHandover('http://127.0.0.1:9/', new Uint8Array([7]), options(failures))).toBe(false);
    expect(failures).toHaveLength(3);
  });
});
