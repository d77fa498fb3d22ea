import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ControlClient } from './control-client.ts';
import { controlFile, removeControl, writeControl } from './control-file.ts';
import { type ControlServer, route, startControlServer } from './control-server.ts';
import { Failure } from './failure.ts';

const TOKEN = 'ab'.repeat(32);
const seen: unknown[] = [];
let server: ControlServer;
let directory: string;
let client: ControlClient;

const echo = route({ method: 'POST', path: '/echo', input: z.object({ text: z.string().max(10) }) }, ({ text }) => {
  seen.push(text);
  return { text, amount: 5n };
});
const counting = route(
  { method: 'POST', path: '/count', streams: true, input: z.object({ to: z.number() }) },
  ({ to }, phases) => {
    for (let at = 1; at <= to; at++) phases(at);
    if (to === 0) throw new Failure('NOTHING_TO_COUNT', 'Count to something.');
    return to;
  },
);
const page = route({ method: 'GET', path: '/page', input: z.object({ limit: z.coerce.number() }) }, (input) => input);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'baro-control-'));
  server = await startControlServer({ token: TOKEN, port: 0, routes: [echo, counting, page] });
  await writeControl(directory, { version: 1, url: server.url, token: TOKEN, pid: process.pid });
  client = await ControlClient.open(directory);
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Sent {
  method?: string;
  path?: string;
  authorization?: string | null;
  body?: string;
}

function ask({ method = 'POST', path = '/echo', authorization = `Bearer ${TOKEN}`, body = '{"text":"hi"}' }: Sent) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = authorization === null ? {} : { authorization };
    const outgoing = request(server.url + path, { method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(method === 'GET' ? undefined : body);
  });
}

const refused = (status: number, code: string) => ({
  status,
  text: expect.stringContaining(`"code":"${code}"`) as string,
});

describe('the control API', () => {
  it('answers whoever has the token, with money as text', async () => {
    expect(await ask({})).toEqual({ status: 200, text: '{"text":"hi","amount":"5"}\n' });
  });

  it.each([
    ['none', null],
    ['a wrong one', `Bearer ${'cd'.repeat(32)}`],
    ['a prefix', `Bearer ${TOKEN.slice(0, 63)}`],
    ['a longer one', `Bearer ${TOKEN}0`],
    ['another scheme', `Basic ${TOKEN}`],
    ['an empty one', 'Bearer '],
  ])('does nothing without the token: %s', async (_what, authorization) => {
    const before = seen.length;
    expect(await ask({ authorization })).toEqual(refused(401, 'UNAUTHORIZED'));
    expect(await ask({ authorization, path: '/nowhere' })).toEqual(refused(401, 'UNAUTHORIZED'));
    expect(seen.length).toBe(before);
    expect((await ask({})).status).toBe(200);
  });

  it('refuses unknown routes and methods', async () => {
    expect(await ask({ path: '/nowhere' })).toEqual(refused(404, 'UNKNOWN_ROUTE'));
    expect(await ask({ path: '/echo/..%2fcount' })).toEqual(refused(404, 'UNKNOWN_ROUTE'));
    expect(await ask({ path: '//echo' })).toEqual(refused(404, 'UNKNOWN_ROUTE'));
    expect(await ask({ method: 'GET' })).toEqual(refused(405, 'WRONG_METHOD'));
    expect(await ask({ method: 'DELETE' })).toEqual(refused(405, 'WRONG_METHOD'));
  });

  it('refuses malformed bodies and goes on', async () => {
    expect(await ask({ body: '{"text":' })).toEqual(refused(400, 'MALFORMED_JSON'));
    expect(await ask({ body: '{"text":7}' })).toEqual(refused(422, 'INVALID_REQUEST'));
    expect(await ask({ body: '[]' })).toEqual(refused(422, 'INVALID_REQUEST'));
    expect(await ask({ body: '' })).toEqual(refused(422, 'INVALID_REQUEST'));
    expect((await ask({})).status).toBe(200);
  });

  it('refuses a body that is announced or grows too large', async () => {
    expect(await ask({ body: JSON.stringify({ text: 'x'.repeat(70_000) }) })).toEqual(refused(413, 'BODY_TOO_LARGE'));
    expect(await sendChunks(70)).toContain('413');
    expect((await ask({})).status).toBe(200);
  });

  it('survives bytes that are no HTTP', async () => {
    const { port } = new URL(server.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.end('\u0000\u0001 garbage\r\n\r\n'));
      socket.on('close', () => resolve());
      socket.resume();
    });
    expect((await ask({})).status).toBe(200);
  });
});

describe('ControlClient', () => {
  it('reads answers, queries and phases', async () => {
    const phases: unknown[] = [];
    const onPhase = (phase: unknown): void => void phases.push(phase);
    expect(await client.call({ method: 'POST', path: '/count', body: { to: 3 }, answer: z.number(), onPhase })).toBe(3);
    expect(phases).toEqual([1, 2, 3]);
    const body = { text: 'hi' };
    const echoed = await client.call({ method: 'POST', path: '/echo', body, answer: z.object({ text: z.string() }) });
    expect(echoed).toEqual({ text: 'hi' });
    const found = await client.call({ method: 'GET', path: '/page?limit=7', answer: z.object({ limit: z.number() }) });
    expect(found).toEqual({ limit: 7 });
  });

  it('passes refusals on with their codes', async () => {
    const counted = client.call({ method: 'POST', path: '/count', body: { to: 0 }, answer: z.number() });
    await expect(counted).rejects.toMatchObject({
      code: 'NOTHING_TO_COUNT',
      message: 'Count to something.',
      exitCode: 1,
    });
    const wrong = client.call({ method: 'GET', path: '/page?limit=x', answer: z.unknown() });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const unlike = client.call({ method: 'GET', path: '/page?limit=1', answer: z.object({ other: z.string() }) });
    await expect(unlike).rejects.toMatchObject({ code: 'DAEMON_DIFFERS' });
  });

  it('says how to start a daemon where there is none, or where it was killed', async () => {
    const empty = join(directory, 'empty');
    await expect(ControlClient.open(empty)).rejects.toMatchObject({ code: 'NO_DAEMON' });
    await expect(ControlClient.open(empty)).rejects.toThrow(`baro terminal --data ${empty} --hub`);
    const killed = join(directory, 'killed');
    await writeControl(killed, { version: 1, url: 'http://127.0.0.1:9', token: TOKEN, pid: 1 });
    const call = (await ControlClient.open(killed)).call({ method: 'GET', path: '/page', answer: z.unknown() });
    await expect(call).rejects.toMatchObject({ code: 'NO_DAEMON' });
    await removeControl(killed);
    await expect(ControlClient.open(killed)).rejects.toMatchObject({ code: 'NO_DAEMON' });
  });
});

describe('the control file', () => {
  it('can be read by its owner only', async () => {
    expect((await stat(controlFile(directory))).mode & 0o777).toBe(0o600);
  });
});

/** Kilobytes without an announced length. @returns the first line of the answer */
function sendChunks(count: number): Promise<string> {
  const { port } = new URL(server.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(
        `POST /echo HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n`,
      );
      for (let sent = 0; sent < count; sent++) socket.write(`400\r\n${'x'.repeat(1024)}\r\n`);
    });
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (answer.includes('\r\n')) {
        resolve(answer.slice(0, answer.indexOf('\r\n')));
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
  });
}
