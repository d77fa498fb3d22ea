import { afterEach, beforeEach, expect, test } from 'vitest';
import { bytes32 } from '../../enclave/core/ids.ts';
import { MAX_COMMANDS, MAX_FRAME_BYTES } from '../../enclave/core/limits.ts';
import { decodeHubFrame, type HubMessage, type TerminalMessage } from '../../enclave/core/wire.ts';
import { MAX_OUTGOING_MESSAGES } from '../core/limits.ts';
import { measurement, TestKeys } from '../testing/hello.ts';
import { TestHub } from '../testing/hub.ts';
import { bytesNumber, terminalNumber } from '../testing/names.ts';
import { deployment } from '../testing/network.ts';
import { SocketTerminal, TestSocket } from '../testing/socket-terminal.ts';
import { FakeTerminal } from '../testing/terminal.ts';
import { Outbox } from './outbox.ts';

let hub: TestHub;
beforeEach(async () => {
  hub = await TestHub.start();
});
afterEach(() => hub.stop());

const { profile } = new FakeTerminal(terminalNumber(9), () => bytesNumber(9) as never);

const audience = (): string => new URL(hub.url).host;

/** Says hello as `change` makes it. @returns how it was refused */
async function refusal(change: (hello: Extract<TerminalMessage, { kind: 'hello' }>) => TerminalMessage) {
  const socket = new TestSocket(hub.url);
  const { challenge } = await socket.hears('challenge');
  socket.send(change(new TestKeys(1).hello(deployment, { challenge, audience: audience(), profile })));
  return socket.hears('refused');
}

async function goodSession(): Promise<void> {
  const terminal = new SocketTerminal(1, deployment);
  await terminal.connect(hub.url);
  terminal.socket?.close();
}

test('an enclave image that is not accepted is refused with its measurement, an accepted one gets in', async () => {
  const other = bytes32(`0x${'ee'.repeat(32)}`);
  const refused = await refusal((hello) => ({ ...hello, credential: new TestKeys(1).credential(deployment, other) }));
  expect(refused).toMatchObject({ code: 'MEASUREMENT_REFUSED' });
  expect(refused.message).toContain(other);
  expect(measurement).not.toBe(other);
  await goodSession();
});

test('a terminal of another chain or contract is refused by its signatures, in words', async () => {
  const elsewhere = { ...deployment, chainId: 5n, domain: bytesNumber(0xbad) };
  const refused = await refusal((hello) => ({ ...hello, credential: new TestKeys(1).credential(elsewhere) }));
  expect(refused).toMatchObject({ code: 'BAD_SIGNATURE' });
  expect(refused.message).toContain('WRONG_CHAIN');
  await goodSession();
});

test('a session signature over another challenge proves nothing', async () => {
  const refused = await refusal(() =>
    new TestKeys(1).hello(deployment, { challenge: bytesNumber(1), audience: audience(), profile }),
  );
  expect(refused).toMatchObject({ code: 'BAD_SIGNATURE' });
  expect(refused.message).toContain('Connect again');
});

test('nobody speaks for another identity', async () => {
  const refused = await refusal((hello) => ({ ...hello, credential: new TestKeys(2).credential(deployment) }));
  expect(refused.code).toBe('BAD_SIGNATURE');
});

test('certificates are checked, in hello and in announce', async () => {
  const certificate = new TestKeys(1).certificate(deployment, 3);
  const foreign = new TestKeys(2).certificate(deployment, 3);
  expect((await refusal((hello) => ({ ...hello, certificates: [certificate, foreign] }))).code).toBe('BAD_SIGNATURE');
  const terminal = new SocketTerminal(1, deployment);
  const socket = await terminal.connect(hub.url);
  socket.send({ kind: 'announce', certificates: [certificate], profile });
  socket.send({ kind: 'lookup', identity: terminal.keys.identity });
  expect((await socket.hears('found')).certificates).toEqual([certificate]);
  socket.send({ kind: 'announce', certificates: [certificate, foreign], profile });
  expect((await socket.hears('refused')).code).toBe('BAD_SIGNATURE');
  await goodSession();
});

test('the first message must be hello, and hello comes once', async () => {
  expect((await refusal(() => ({ kind: 'lookup', identity: terminalNumber(1) }))).code).toBe('HELLO_EXPECTED');
  const terminal = new SocketTerminal(1, deployment);
  const socket = await terminal.connect(hub.url);
  socket.send(terminal.keys.hello(deployment, { challenge: bytesNumber(1), audience: audience(), profile }));
  expect((await socket.hears('refused')).code).toBe('HELLO_TWICE');
});

test('a newer session replaces the older, which reads why', async () => {
  const [older, newer] = [new SocketTerminal(1, deployment), new SocketTerminal(1, deployment)];
  const first = await older.connect(hub.url);
  await newer.connect(hub.url);
  expect((await first.hears('refused')).code).toBe('ALREADY_CONNECTED');
  await first.gone();
  const second = newer.socket;
  second?.send({ kind: 'lookup', identity: newer.keys.identity });
  expect((await second?.hears('found'))?.online).toBe(true);
  second?.close();
});

test('what a turn has to say to one terminal shares a frame', async () => {
  const terminal = new SocketTerminal(1, deployment);
  const socket = await terminal.connect(hub.url);
  const lookups = [1, 2, 3].map((number) => ({ kind: 'lookup' as const, identity: terminalNumber(number) }));
  socket.send(...lookups);
  const frame = await socket.until(() => socket.frames.find((each) => each[0]?.kind === 'notFound'));
  expect(frame.map((each) => each.kind)).toEqual(['notFound', 'notFound', 'notFound']);
  socket.close();
});

test('round trips are measured by heartbeats', async () => {
  const terminal = new SocketTerminal(1, deployment);
  const socket = await terminal.connect(hub.url);
  await socket.until(() => hub.state.terminals.get(terminal.keys.identity)?.node.rttMs !== undefined);
  for (let count = 0; hub.state.terminals.get(terminal.keys.identity)?.node.rttMs === 50 && count < 1000; count++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(hub.state.terminals.get(terminal.keys.identity)?.node.rttMs).not.toBe(50);
  socket.close();
});

test('payments run over real sockets, also many at once', async () => {
  const [payer, payee] = await hub.pair();
  const results = await Promise.all(Array.from({ length: 50 }, () => hub.pay(payer, payee)));
  expect(new Set(results)).toEqual(new Set(['complete']));
  expect(payer.fake.balances.values().next().value).toBe(1_000_000n - 50n);
  for (const terminal of [payer, payee]) terminal.socket?.close();
});

test('an outbox splits what is too much for a frame, by number and by bytes, and is bounded', () => {
  const outbox = new Outbox();
  const small: HubMessage = { kind: 'notFound', identity: terminalNumber(1) };
  for (let count = 0; count < MAX_COMMANDS + 1; count++) outbox.add(small);
  expect(outbox.take().map((frame) => decodeHubFrame(frame).length)).toEqual([MAX_COMMANDS, 1]);
  const { credential } = new TestKeys(1).hello(deployment, {
    challenge: bytesNumber(1),
    audience: audience(),
    profile,
  });
  const certificate = new TestKeys(1).certificate(deployment, 1);
  const large: HubMessage = {
    kind: 'introduce',
    credential,
    certificates: Array.from({ length: 1_024 }, () => certificate),
  };
  for (let count = 0; count < 64; count++) outbox.add(large);
  const frames = outbox.take();
  expect(frames.every((frame) => frame.length <= MAX_FRAME_BYTES)).toBe(true);
  expect(frames.flatMap((frame) => decodeHubFrame(frame)).length).toBe(64);
  for (let count = 0; count < MAX_OUTGOING_MESSAGES; count++) expect(outbox.add(small)).toBe(true);
  expect(outbox.add(small)).toBe(false);
});

test('a terminal that does not read what it is sent is dropped, others are not', async () => {
  const [slow, other] = await hub.pair();
  const number = hub.state.terminals.get(slow.keys.identity)?.session ?? -1;
  slow.socket?.stopReading();
  const credential = slow.keys.credential(deployment);
  const certificate = slow.keys.certificate(deployment, 1);
  const certificates = Array.from({ length: 1_024 }, () => certificate);
  for (let count = 0; count < 400 && hub.server.sessions === 2; count++) {
    hub.server.send(number, { kind: 'introduce', credential, certificates });
    hub.server.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(hub.server.sessions).toBe(1);
  await slow.connect(hub.url);
  expect(await hub.pay(slow, other)).toBe('complete');
  for (const terminal of [slow, other]) terminal.socket?.close();
});
