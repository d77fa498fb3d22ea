import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defaultLimits, type Limits } from '../core/limits.ts';
import { TestHub } from '../testing/hub.ts';
import { deployment } from '../testing/network.ts';
import { SocketTerminal, TestSocket } from '../testing/socket-terminal.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startHub(limits: Partial<Limits>): Promise<TestHub> {
  const hub = await TestHub.start({ limits: { ...defaultLimits, ...limits } });
  closers.push(() => hub.stop());
  return hub;
}

async function proven(hub: TestHub, number: number): Promise<TestSocket> {
  const socket = await new SocketTerminal(number, deployment).connect(hub.url);
  closers.push(() => socket.close());
  return socket;
}

/** A connection that says nothing. */
async function mute(hub: TestHub): Promise<TestSocket> {
  const socket = new TestSocket(hub.url);
  closers.push(() => socket.close());
  await socket.hears('challenge');
  return socket;
}

/** The HTTP answer to somebody who wants to connect. */
function turnedAway(
  hub: TestHub,
): Promise<{ status: number | undefined; retryAfter: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(hub.url.replace(/^http/, 'ws'));
    socket.on('error', () => undefined);
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      const { statusCode: status, headers } = response;
      response.on('end', () => resolve({ status, retryAfter: headers['retry-after'], body }));
    });
  });
}

const FULL = { status: 503, retryAfter: '5', body: expect.stringContaining('Connect again') as string };

test('a hub with as many sessions as it takes turns others away in words, until one leaves', async () => {
  const hub = await startHub({ maxSessions: 2 });
  const [first] = [await proven(hub, 1), await proven(hub, 2)];
  expect(await turnedAway(hub)).toEqual(FULL);
  first.close();
  while (hub.server.sessions > 1) await new Promise((resolve) => setImmediate(resolve));
  await proven(hub, 3);
  expect(await turnedAway(hub)).toEqual(FULL);
});

test('those who do not say who they are do not take the places of those who do', async () => {
  const hub = await startHub({ maxUnproven: 2 });
  const [first] = [await mute(hub), await mute(hub)];
  expect(await turnedAway(hub)).toEqual(FULL);
  first.close();
  while (hub.server.sessions > 1) await new Promise((resolve) => setImmediate(resolve));
  for (const number of [1, 2, 3]) await proven(hub, number);
  await mute(hub);
  expect(await turnedAway(hub)).toEqual(FULL);
});

test('whoever does not say hello in time is told so and closed, who did stays', async () => {
  const hub = await startHub({ helloTimeoutMs: 200 });
  const terminal = await proven(hub, 1);
  const silent = await mute(hub);
  expect(await silent.hears('refused')).toMatchObject({
    code: 'HELLO_TIMEOUT',
    message: expect.stringContaining('0.2 s') as string,
  });
  expect((await silent.gone()).code).toBe(1008);
  while (hub.server.sessions > 1) await new Promise((resolve) => setImmediate(resolve));
  expect(terminal.closed).toBe(null);
});
