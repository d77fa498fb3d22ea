import { afterAll, beforeAll, expect, test } from 'vitest';
import { NATIVE, ZERO_32 } from '../../enclave/core/ids.ts';
import { MAX_FRAME_BYTES } from '../../enclave/core/limits.ts';
import { encodeTerminalFrame, type TerminalMessage } from '../../enclave/core/wire.ts';
import { TestKeys } from '../testing/hello.ts';
import { TestHub } from '../testing/hub.ts';
import { addressNumber, bytesNumber, channelNumber, seeded, terminalNumber } from '../testing/names.ts';
import { deployment } from '../testing/network.ts';
import { SocketTerminal, TestSocket } from '../testing/socket-terminal.ts';
import { FakeTerminal } from '../testing/terminal.ts';

let hub: TestHub;
let payer: SocketTerminal;
let payee: SocketTerminal;

beforeAll(async () => {
  hub = await TestHub.start();
  [payer, payee] = await hub.pair();
});

afterAll(async () => {
  for (const terminal of [payer, payee]) terminal.socket?.close();
  await hub.stop();
});

const { profile } = new FakeTerminal(terminalNumber(9), () => channelNumber(9) as never);
const party = addressNumber(5);
const salt = `0x${'01'.repeat(16)}` as never;
const channel = {
  partyA: party,
  partyB: party,
  payoutA: party,
  payoutB: party,
  token: NATIVE,
  challengePeriod: 1,
  salt,
};
const paymentId = bytesNumber(4) as never;
const hello = new TestKeys(7).hello(deployment, { challenge: bytesNumber(1), audience: 'hub.example', profile });
const certificates = [new TestKeys(7).certificate(deployment, 1)];
const order = {
  orderId: bytesNumber(1),
  payer: party,
  payee: party,
  token: NATIVE,
  amount: 1n,
  maxFee: 0n,
  invoice: ZERO_32,
  expiry: 1,
};

const messages: TerminalMessage[] = [
  hello,
  { kind: 'announce', certificates, profile },
  { kind: 'lookup', identity: terminalNumber(3) },
  { kind: 'relay', to: terminalNumber(3), message: new Uint8Array(40) },
  { kind: 'propose', to: terminalNumber(3), channel, side: 'A' },
  { kind: 'order', order: order as never },
  { kind: 'cancelOrder', orderId: bytesNumber(1) },
  { kind: 'answer', answer: { kind: 'held', paymentId, channelId: channelNumber(1) } },
  { kind: 'answer', answer: { kind: 'prepared', paymentId, evidence: [new Uint8Array(16)], balances: [] } },
  { kind: 'balances', balances: [{ channelId: channelNumber(1), spendable: 5n }] },
];

/** Sends bytes on a connection of their own. @returns the code with which they were refused */
async function refusalOf(bytes: Uint8Array | string): Promise<{ code: string; message: string }> {
  const socket = new TestSocket(hub.url);
  await socket.hears('challenge');
  socket.sendRaw(bytes);
  const refused = await socket.hears('refused');
  const { code } = await socket.gone();
  expect(code).toBe(1008);
  return refused;
}

/** A few connections at a time. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += 32) await Promise.all(items.slice(at, at + 32).map(work));
}

const stillPays = async (): Promise<void> => expect(await hub.pay(payer, payee)).toBe('complete');

test.each(messages.map((message) => [message.kind, message] as const))(
  'every truncation of %s is refused in words, and others go on',
  async (_kind, message) => {
    const frame = encodeTerminalFrame([message]);
    const lengths = Array.from({ length: frame.length - 1 }, (_, index) => index + 1);
    await each(lengths, async (length) => {
      const { code, message: words } = await refusalOf(frame.slice(0, length));
      expect(code).toBe('MALFORMED');
      expect(words).toContain('connect again');
    });
    await stillPays();
  },
);

test('every flipped byte of a hello is refused, as malformed or by its signatures', async () => {
  const frame = encodeTerminalFrame([hello]);
  await each(
    Array.from(frame.keys()).filter((at) => at % 3 === 0),
    async (at) => {
      const flipped = frame.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x55;
      expect(['MALFORMED', 'BAD_SIGNATURE', 'MEASUREMENT_REFUSED', 'WRONG_AUDIENCE']).toContain(
        (await refusalOf(flipped)).code,
      );
    },
  );
  await stillPays();
});

test('random bytes, text and an empty frame are refused in words', async () => {
  const seed = 20_240_601;
  const random = seeded(seed);
  const noise = Array.from({ length: 60 }, (_, index) =>
    Uint8Array.from({ length: 1 + index * 7 }, (_value, at) =>
      at === 0 && index % 2 ? 1 : Math.floor(random() * 256),
    ),
  );
  await each(noise, async (bytes) => expect((await refusalOf(bytes)).code, `seed ${seed}`).toBe('MALFORMED'));
  expect((await refusalOf('hello')).message).toContain('text');
  expect((await refusalOf(new Uint8Array(0))).code).toBe('MALFORMED');
  await stillPays();
});

test('a frame of another wire version says which program to update', async () => {
  const frame = encodeTerminalFrame([hello]);
  frame[0] = 2;
  expect((await refusalOf(frame)).message).toContain('update the older one');
});

test('a frame above the limit closes its connection only', async () => {
  const socket = new TestSocket(hub.url);
  await socket.hears('challenge');
  socket.sendRaw(new Uint8Array(MAX_FRAME_BYTES + 1));
  expect((await socket.gone()).code).toBe(1009);
  await stillPays();
});

test('broken frames of a proven session are refused, valid ones with a flipped byte do no harm', async () => {
  const seed = 7;
  const random = seeded(seed);
  const spoken = messages.slice(1);
  for (let count = 0; count < 40; count++) {
    const terminal = new SocketTerminal(50, deployment);
    const socket = await terminal.connect(hub.url);
    const frame = encodeTerminalFrame([spoken[count % spoken.length] ?? hello]);
    const at = Math.floor(random() * frame.length);
    const isCut = count % 2 === 0;
    const broken = isCut ? frame.slice(0, Math.max(1, at)) : frame.slice();
    if (!isCut) broken[at] = (broken[at] ?? 0) ^ (1 + Math.floor(random() * 255));
    socket.sendRaw(broken);
    socket.send({ kind: 'lookup', identity: terminalNumber(0xdead) });
    const end = await socket.until(
      () =>
        socket.heard.find((message) => message.kind === 'refused') ??
        socket.heard.find((message) => message.kind === 'notFound' && message.identity === terminalNumber(0xdead)),
    );
    if (isCut) expect(end, `seed ${seed}, ${count}`).toMatchObject({ kind: 'refused', code: 'MALFORMED' });
    socket.close();
  }
  await stillPays();
  expect(hub.failures).toEqual([]);
});
