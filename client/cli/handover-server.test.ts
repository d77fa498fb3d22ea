import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from './failure.ts';
import { type HandoverServer, startHandoverServer } from './handover-server.ts';

let server: HandoverServer;
let taken: Buffer[];

beforeEach(async () => {
  taken = [];
  server = await startHandoverServer({ host: '127.0.0.1', port: 0 });
});
afterEach(() => server.stop());

const post = async (body: Uint8Array<ArrayBuffer>, path = '/handover', method = 'POST'): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    ...(method === 'POST' ? { body } : {}),
  });
  await response.text();
  return response.status;
};

const open = (): void =>
  server.open((evidence) => {
    if (evidence.length === 0) throw new Failure('HANDOVER_MALFORMED', 'Nothing in it.');
    taken.push(Buffer.from(evidence));
  });

describe('the handover endpoint', () => {
  it('hands evidence to the terminal, byte for byte', async () => {
    open();
    expect(await post(new Uint8Array([1, 2, 255]))).toBe(204);
    expect(taken).toEqual([Buffer.from([1, 2, 255])]);
  });

  it('asks to try again before the terminal is there', async () => {
    expect(await post(new Uint8Array([1]))).toBe(503);
  });

  it('refuses what is too large, elsewhere, or no evidence, and goes on', async () => {
    open();
    expect(await post(new Uint8Array(5_000))).toBe(413);
    expect(await post(new Uint8Array([1]), '/balance')).toBe(404);
    expect(await post(new Uint8Array([1]), '/handover', 'GET')).toBe(405);
    expect(await post(new Uint8Array())).toBe(422);
    expect(taken).toEqual([]);
    expect(await post(new Uint8Array([7]))).toBe(204);
  });

  it('says which port is taken', async () => {
    await expect(startHandoverServer({ host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
    });
  });
});
