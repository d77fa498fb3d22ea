import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { identity, ZERO_32 } from '../enclave/core/ids.ts';
import { MAX_COMMANDS, MAX_FRAME_BYTES } from '../enclave/core/limits.ts';
import { decodeTerminalFrame, encodeHubFrame, type HubMessage, type TerminalMessage } from '../enclave/core/wire.ts';
import { Link } from './link.ts';
import { connectSocket } from './node-socket.ts';

const TO = identity(`0x${'0a'.repeat(20)}`);
const lookup = (number: number): TerminalMessage => ({
  kind: 'lookup',
  identity: identity(`0x${number.toString(16).padStart(40, '0')}`),
});
const welcome = encodeHubFrame([{ kind: 'welcome', heartbeatMs: 60_000 }]);

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Values as they come, each taken once. */
class Stream<T> {
  readonly #values: T[] = [];
  readonly #takers: ((value: T) => void)[] = [];
  push(value: T): void {
    const taker = this.#takers.shift();
    if (taker) taker(value);
    else this.#values.push(value);
  }
  next(): Promise<T> {
    const value = this.#values.shift();
    return value === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(value);
  }
}

async function linked() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const sockets = new Stream<WebSocket>();
  const frames = new Stream<Uint8Array>();
  server.on('connection', (socket) => {
    socket.on('message', (data) => frames.push(new Uint8Array(data as Buffer)));
    sockets.push(socket);
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = new Stream<true>();
  const closed = new Stream<string>();
  const received = new Stream<HubMessage[]>();
  const link = new Link({
    connect: (events) => connectSocket(url, events),
    onOpen: () => opened.push(true),
    onClose: (reason) => closed.push(reason),
    onFrame: (messages) => received.push(messages),
    random: () => 0,
  });
  cleanups.push(
    () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
    () => link.stop(),
  );
  link.start();
  const socket = await sockets.next();
  await opened.next();
  return { link, socket, sockets, frames, opened, closed, received };
}

describe('a link', () => {
  it('sends all that is given in one turn as one frame, in order', async () => {
    const { link, frames } = await linked();
    link.send([lookup(1)]);
    link.send([lookup(2), lookup(3)]);
    expect(decodeTerminalFrame(await frames.next())).toEqual([lookup(1), lookup(2), lookup(3)]);
  });

  it('splits what does not fit into one frame, by number and by size', async () => {
    const { link, frames } = await linked();
    link.send(Array.from({ length: MAX_COMMANDS + 1 }, (_, index) => lookup(index)));
    expect(decodeTerminalFrame(await frames.next())).toHaveLength(MAX_COMMANDS);
    expect(decodeTerminalFrame(await frames.next())).toEqual([lookup(MAX_COMMANDS)]);
    const answer: TerminalMessage = {
      kind: 'answer',
      answer: {
        kind: 'prepared',
        paymentId: ZERO_32 as never,
        evidence: Array.from({ length: 128 }, () => new Uint8Array(16)),
        balances: Array.from({ length: 64 }, () => ({ channelId: ZERO_32 as never, spendable: 1n })),
      },
    };
    link.send(Array.from({ length: MAX_COMMANDS }, () => answer));
    for (let answers = 0; answers < MAX_COMMANDS; ) {
      const frame = await frames.next();
      expect(frame.length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
      answers += decodeTerminalFrame(frame).length;
    }
  });

  it('comes back by itself when the hub hangs up, and drops what was not sent', async () => {
    const { link, socket, sockets, opened, closed, frames } = await linked();
    socket.terminate();
    await closed.next();
    link.send([lookup(1)]);
    await sockets.next();
    await opened.next();
    link.send([lookup(2)]);
    expect(decodeTerminalFrame(await frames.next())).toEqual([lookup(2)]);
  });

  it.each([
    ['of random bytes', new Uint8Array([1, 9, 9, 9, 9])],
    ['cut short', welcome.subarray(0, -1)],
    ['of another version', new Uint8Array([2, ...welcome.subarray(1)])],
  ])('gives a connection up over a frame %s, and comes back', async (_, bytes) => {
    const { socket, sockets, closed, received } = await linked();
    socket.send(bytes);
    expect(await closed.next()).toMatch(/malformed|version/);
    const next = await sockets.next();
    next.send(welcome);
    expect(await received.next()).toEqual([{ kind: 'welcome', heartbeatMs: 60_000 }]);
  });

  it('takes a hub that shows no sign of life for dead', async () => {
    const { link, sockets, closed } = await linked();
    link.established(1);
    expect(await closed.next()).toMatch(/silent/);
    await sockets.next();
  });

  it('gives up on a hub that does not read, instead of remembering without end', async () => {
    const { link, closed } = await linked();
    const message: TerminalMessage = { kind: 'relay', to: TO, message: new Uint8Array(1_024) };
    for (let sent = 0; sent <= 16_384; sent += 1_024) link.send(Array.from({ length: 1_024 }, () => message));
    expect(await closed.next()).toMatch(/slowly/);
  });

  it('stays away after it was stopped', async () => {
    const { link, socket } = await linked();
    const gone = new Promise((resolve) => socket.once('close', resolve));
    link.stop();
    await gone;
    link.send([lookup(1)]);
  });
});
