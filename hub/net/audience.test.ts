import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { decodeTerminalFrame, encodeHubFrame, type TerminalMessage } from '../../enclave/core/wire.ts';
import { TestHub } from '../testing/hub.ts';
import { deployment } from '../testing/network.ts';
import { SocketTerminal, TestSocket } from '../testing/socket-terminal.ts';
import { canonicalName, namesAt } from './audience.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startHub(publicNames: string[] = []): Promise<TestHub> {
  const hub = await TestHub.start({ publicNames });
  closers.push(() => hub.stop());
  return hub;
}

/** A hub that gives whoever dials it the challenge of another hub, and hands their hello to that one. */
async function startHostile(target: string, alter: (hello: TerminalMessage) => TerminalMessage = (hello) => hello) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const posing = new TestSocket(target);
  closers.push(() => posing.close());
  server.on('connection', (victim: WebSocket) => {
    closers.push(() => victim.terminate());
    void posing.hears('challenge').then((challenge) => victim.send(encodeHubFrame([challenge])));
    victim.on('message', (data: Buffer) => posing.send(...decodeTerminalFrame(new Uint8Array(data)).map(alter)));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posing };
}

test('a hub that hands on the challenge of another hub does not get a session there', async () => {
  const [honest, other] = [await startHub(), await startHub()];
  const hostile = await startHostile(honest.url);
  const victim = new SocketTerminal(1, deployment);
  void victim.connect(hostile.url);
  const refused = await hostile.posing.hears('refused');
  expect(refused.code).toBe('WRONG_AUDIENCE');
  expect(refused.message).toContain(`--public-name ${new URL(hostile.url).host}`);
  expect(honest.server.sessions).toBeLessThanOrEqual(1);
  expect(honest.state.sessions.size).toBe(0);
  // It may dial both by itself.
  for (const hub of [honest, other]) {
    const socket = await new SocketTerminal(1, deployment).connect(hub.url);
    closers.push(() => socket.close());
  }
});

test('nor does it by writing another name into what it hands on: the name is signed', async () => {
  const honest = await startHub();
  const audience = new URL(honest.url).host;
  const hostile = await startHostile(honest.url, (message) =>
    message.kind === 'hello' ? { ...message, audience } : message,
  );
  void new SocketTerminal(1, deployment).connect(hostile.url);
  expect((await hostile.posing.hears('refused')).code).toBe('BAD_SIGNATURE');
  expect(honest.state.sessions.size).toBe(0);
});

test('a hub is dialled by its public names, and on the loopback interface by its local ones', async () => {
  const hub = await startHub(['hub.example.org']);
  const { port } = new URL(hub.url);
  for (const audience of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'hub.example.org']) {
    const socket = await new SocketTerminal(1, deployment).connect(hub.url, audience);
    socket.close();
  }
  for (const audience of ['hub.example.org:8080', `localhost:1${port}`, '', 'no name', `user@localhost:${port}`]) {
    const terminal = new SocketTerminal(1, deployment);
    void terminal.connect(hub.url, audience);
    const refused = await until(() => terminal.socket?.heard.find((message) => message.kind === 'refused'));
    expect(refused).toMatchObject({ code: 'WRONG_AUDIENCE' });
  }
});

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('names are compared as addresses write them', () => {
  expect(canonicalName('Hub.Example.ORG')).toBe('hub.example.org');
  expect(canonicalName('hub.example.org:443')).toBe('hub.example.org');
  expect(canonicalName('hub.example.org:80')).toBe('hub.example.org');
  expect(canonicalName('[0:0:0:0:0:0:0:1]:9')).toBe('[::1]:9');
  for (const bad of ['', 'http://hub', 'hub/path', 'a b', 'user@hub', 'hub:70000', 'x'.repeat(256)])
    expect(canonicalName(bad)).toBe(null);
});

test('a name stands for this hub only where the connection arrives', () => {
  const at = (address: string, host: string) => [...namesAt({ address, port: 9 }, { host, publicNames: ['p:1'] })];
  expect(at('::ffff:10.1.2.3', '0.0.0.0')).toEqual(['10.1.2.3:9', 'p:1']);
  expect(at('10.1.2.3', 'hub.lan')).toEqual(['10.1.2.3:9', 'hub.lan:9', 'p:1']);
  expect(at('fd00::7', '::')).toEqual(['[fd00::7]:9', 'p:1']);
  expect(at('::1', '::')).toEqual(['[::1]:9', 'localhost:9', '127.0.0.1:9', '[::]:9', 'p:1']);
  expect(at('', '10.1.2.3')).toEqual(['10.1.2.3:9', 'p:1']);
});
