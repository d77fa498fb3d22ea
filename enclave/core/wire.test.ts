import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededBytes } from '../../simulations/enclaves/simulated-enclave.ts';
import { SimulatedNetwork } from '../../simulations/enclaves/simulated-network.ts';
import { MalformedBytes, toHex } from './codec.ts';
import { address, type Bytes32, bytes16, channelId, identity, NATIVE, paymentId, ZERO_32 } from './ids.ts';
import { MAX_FRAME_BYTES } from './limits.ts';
import type { Profile } from './wire.ts';
import {
  decodeHubFrame,
  decodeTerminalFrame,
  encodeHubFrame,
  encodeTerminalFrame,
  type HubMessage,
  type TerminalMessage,
  WIRE_VERSION,
} from './wire.ts';

const random = seededBytes('wire');
const id32 = (): Bytes32 => toHex(random(32)) as Bytes32;
const someone = identity(`0x${'1a'.repeat(20)}`);
const terms = {
  nonce: bytes16(`0x${'02'.repeat(16)}`),
  invoice: id32(),
  expiry: 1_800_000_000,
  transfers: [
    {
      channelId: channelId(id32()),
      payer: someone,
      payee: identity(`0x${'1b'.repeat(20)}`),
      token: NATIVE,
      amount: 2n ** 128n - 1n,
    },
  ],
};
const participants = [someone, identity(`0x${'1b'.repeat(20)}`)];
const profile: Profile = {
  name: '바로 가게',
  payout: someone,
  policy: {
    forwarding: [
      {
        token: NATIVE,
        minAmount: 1n,
        maxAmount: 5n,
        feeBase: 1n,
        feePpm: 100,
        maxPendingPerPeer: 3,
        maxPendingPerPayer: 2,
      },
    ],
    acceptAnything: false,
    prepareLast: true,
    maxPending: 100,
  },
};
const channel = {
  partyA: someone,
  partyB: someone,
  payoutA: someone,
  payoutB: someone,
  token: NATIVE,
  challengePeriod: 0,
  salt: bytes16(`0x${'04'.repeat(16)}`),
};
const mac = random(16);
const requestId = bytes16(`0x${'05'.repeat(16)}`);

async function messages(): Promise<{ hub: HubMessage[]; terminal: TerminalMessage[] }> {
  const network = await SimulatedNetwork.of(1);
  const { credential } = await network.at(0).terminal.introduction();
  const certificates = [
    { address: someone, signature: credential.keySignature, addressSignature: credential.keySignature },
  ];
  const pid = paymentId(id32());
  const order = {
    orderId: id32(),
    payer: someone,
    payee: someone,
    token: NATIVE,
    amount: 5n,
    maxFee: 0n,
    invoice: ZERO_32,
    expiry: 1,
  };
  const balances = [{ channelId: channelId(id32()), spendable: 7n }];
  const hub: HubMessage[] = [
    { kind: 'challenge', chainId: 31_337n, contract: address(`0x${'c0'.repeat(20)}`), challenge: id32() },
    { kind: 'welcome', heartbeatMs: 5000 },
    { kind: 'refused', code: 'MALFORMED', message: 'why' },
    { kind: 'introduce', credential, certificates },
    { kind: 'step', step: { kind: 'prepare', terms, participants, preEvidence: mac } },
    { kind: 'step', step: { kind: 'update', paymentId: pid, evidence: mac } },
    { kind: 'step', step: { kind: 'complete', paymentId: pid, evidence: mac } },
    { kind: 'step', step: { kind: 'completeByDone', paymentId: pid, from: someone, evidence: mac } },
    { kind: 'step', step: { kind: 'abort', paymentId: pid, from: someone, evidence: mac } },
    { kind: 'step', step: { kind: 'cancel', terms, participants } },
    { kind: 'relayed', from: someone, message: random(90) },
    { kind: 'proposed', from: someone, channel, side: 'B' },
    { kind: 'undeliverable', to: someone },
    { kind: 'found', credential, certificates, profile, online: true },
    { kind: 'notFound', identity: someone },
    { kind: 'presence', identity: someone, online: false },
    {
      kind: 'orderUpdate',
      orderId: id32(),
      state: 'preparing',
      attempt: 1,
      paymentId: pid,
      hops: 3,
      waitingFor: [someone],
      code: '',
      message: '',
    },
    { kind: 'routeQuote', requestId, code: '', message: '', hops: 3, fee: 50n, expectedMs: 130 },
    { kind: 'routeQuote', requestId, code: 'NO_ROUTE', message: 'why', hops: 0, fee: 0n, expectedMs: 0 },
  ];
  const terminal: TerminalMessage[] = [
    { kind: 'hello', credential, certificates, profile, audience: 'hub.example:1', signature: credential.keySignature },
    { kind: 'announce', certificates, profile },
    { kind: 'lookup', identity: someone },
    { kind: 'relay', to: someone, message: random(90) },
    { kind: 'propose', to: someone, channel, side: 'A' },
    { kind: 'order', order },
    { kind: 'cancelOrder', orderId: id32() },
    { kind: 'answer', answer: { kind: 'prepared', paymentId: pid, evidence: [mac, mac], balances } },
    { kind: 'answer', answer: { kind: 'rejected', paymentId: pid, reason: 'EXPIRED', evidence: [mac] } },
    { kind: 'answer', answer: { kind: 'updated', paymentId: pid, evidence: [] } },
    { kind: 'answer', answer: { kind: 'completed', paymentId: pid, evidence: [mac], balances } },
    { kind: 'answer', answer: { kind: 'aborted', paymentId: pid, balances } },
    { kind: 'answer', answer: { kind: 'held', paymentId: pid, channelId: channelId(id32()) } },
    { kind: 'answer', answer: { kind: 'needPre', paymentId: pid } },
    { kind: 'answer', answer: { kind: 'failed', paymentId: pid, code: 'FROZEN', message: 'why' } },
    { kind: 'balances', balances },
    { kind: 'routeRequest', requestId, payee: someone, token: NATIVE, amount: 2n ** 128n - 1n },
  ];
  return { hub, terminal };
}

/** Both directions as one list of (message, its frame, the reader of such frames). */
async function frames() {
  const { hub, terminal } = await messages();
  return [
    ...hub.map((message) => ({
      message,
      bytes: encodeHubFrame([message]),
      read: decodeHubFrame,
      write: encodeHubFrame,
    })),
    ...terminal.map((message) => ({
      message,
      bytes: encodeTerminalFrame([message]),
      read: decodeTerminalFrame,
      write: encodeTerminalFrame,
    })),
  ];
}

describe('a frame', () => {
  it('carries many messages of every kind and reads back as written', async () => {
    const { hub, terminal } = await messages();
    expect(decodeHubFrame(encodeHubFrame(hub))).toEqual(hub);
    expect(decodeTerminalFrame(encodeTerminalFrame(terminal))).toEqual(terminal);
  });

  it('is refused at every truncation, and with one byte more', async () => {
    for (const { bytes, read } of await frames()) {
      for (let length = 0; length < bytes.length; length++)
        expect(() => read(bytes.subarray(0, length))).toThrow(MalformedBytes);
      expect(() => read(Uint8Array.from([...bytes, 0]))).toThrow(MalformedBytes);
    }
  });

  it('with a flipped bit in any byte is refused, or read as another message that is written back to the same bytes', async () => {
    for (const { bytes, read, write } of await frames()) {
      for (let bit = 0; bit < bytes.length * 8; bit += 9) {
        const flipped = Uint8Array.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        let read_: unknown[];
        try {
          read_ = read(flipped);
        } catch (cause) {
          expect(cause).toBeInstanceOf(MalformedBytes);
          continue;
        }
        expect(Buffer.compare(write(read_ as never[]), flipped)).toBe(0);
      }
    }
  });

  it('of random bytes is refused or canonical, and never anything else', () => {
    const check = (bytes: Uint8Array): void => {
      for (const [read, write] of [
        [decodeHubFrame, encodeHubFrame],
        [decodeTerminalFrame, encodeTerminalFrame],
      ] as const) {
        try {
          expect((write as (messages: unknown[]) => Uint8Array)(read(bytes))).toEqual(bytes);
        } catch (cause) {
          if (!(cause instanceof MalformedBytes)) throw cause;
        }
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => check(bytes)),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 15 }), (tail, tag) =>
        check(Uint8Array.from([WIRE_VERSION, 0, 0, 0, 1, tag, ...tail])),
      ),
      { numRuns: 4000 },
    );
  });

  it('of another version, without a message, or beyond the size limit is refused in words', () => {
    expect(() => decodeHubFrame(Uint8Array.from([9, 0, 0, 0, 0]))).toThrow(/version 9.*update the older one/);
    expect(() => decodeHubFrame(Uint8Array.from([WIRE_VERSION, 0, 0, 0, 0]))).toThrow(/without a message/);
    expect(() => decodeTerminalFrame(new Uint8Array(MAX_FRAME_BYTES + 1))).toThrow(/are allowed/);
    expect(() => decodeTerminalFrame(Uint8Array.from([WIRE_VERSION, 255, 255, 255, 255]))).toThrow(/items/);
  });
});
