/**
 * One connection of one terminal: challenge → hello → (the core's) welcome, then messages; heartbeats that measure the
 * round trip (PROTOCOL.md section 9, session; enclave/core/wire.ts).
 *
 * Invariants: nothing unproven reaches the core; whoever sends what no terminal writes is told why and closed, without
 * any effect on others; both queues are bounded.
 */

import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { MalformedBytes, toHex } from '../../enclave/core/codec.ts';
import type { Bytes32, Hex, Identity } from '../../enclave/core/ids.ts';
import { decodeTerminalFrame, encodeHubFrame, type HubMessage, type TerminalMessage } from '../../enclave/core/wire.ts';
import type { HubEvent, SessionNumber } from '../core/events.ts';
import { MAX_INCOMING_FRAMES, MAX_OUTGOING_BYTES } from '../core/limits.ts';
import { type Gate, type SessionRefusal, whyCertificatesRefused, whyHelloRefused } from './hello.ts';
import { Outbox } from './outbox.ts';

export interface SessionHost {
  readonly gate: Gate;
  readonly heartbeatMs: number;
  readonly helloTimeoutMs: number;
  /** By which this connection's terminal may have dialled the hub. */
  readonly names: ReadonlySet<string>;
  event(event: HubEvent): void;
  /** Something is to be flushed at the end of this turn. */
  dirty(session: Session): void;
  ended(session: Session): void;
}

/** How long a refused peer may take to close its side. */
const CLOSE_MS = 2_000;
const MISSED_HEARTBEATS = 3;
/** Weight of the newest measurement in the smoothed round-trip time (RFC 6298 uses the same). */
const SMOOTHING = 1 / 8;

export class Session {
  readonly number: SessionNumber;
  readonly #socket: WebSocket;
  readonly #host: SessionHost;
  readonly #challenge = toHex(randomBytes(32)) as Bytes32;
  readonly #outbox = new Outbox();
  readonly #frames: Uint8Array[] = [];
  readonly #proven = new Set<Hex>();
  #identity: Identity | null = null;
  #isReading = false;
  #isHeldBack = false;
  #isOver = false;
  #timer: NodeJS.Timeout;
  #pingedAt: number | null = null;
  #missed = 0;
  #rttMs: number | null = null;

  constructor(number: SessionNumber, socket: WebSocket, host: SessionHost) {
    this.number = number;
    this.#socket = socket;
    this.#host = host;
    const { helloTimeoutMs } = host;
    const late = `No hello came within ${helloTimeoutMs / 1000} s. Connect again.`;
    this.#timer = setTimeout(() => this.refuse({ code: 'HELLO_TIMEOUT', message: late }), helloTimeoutMs);
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('pong', () => this.#ponged());
    // `close` follows; a peer's broken framing is its own business.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#ended());
    const { chainId, contract } = host.gate.deployment;
    this.#sendNow({ kind: 'challenge', chainId, contract, challenge: this.#challenge });
  }

  get isProven(): boolean {
    return this.#identity !== null;
  }

  /** Leaves with the next flush. A terminal that does not read is dropped; it resumes when it connects again. */
  send(message: HubMessage): void {
    if (this.#isOver) return;
    if (!this.#outbox.add(message)) return this.#socket.terminate();
    this.#host.dirty(this);
  }

  flush(): void {
    if (this.#isOver) return;
    for (const frame of this.#outbox.take()) this.#socket.send(frame);
    if (this.#socket.bufferedAmount > MAX_OUTGOING_BYTES) this.#socket.terminate();
  }

  /** Says why, then closes. */
  refuse(refusal: SessionRefusal): void {
    if (this.#isOver) return;
    this.flush();
    this.#isOver = true;
    clearTimeout(this.#timer);
    const message = refusal.message.slice(0, 500);
    this.#socket.send(encodeHubFrame([{ kind: 'refused', code: refusal.code, message }]));
    this.#socket.close(1008, refusal.code);
    this.#timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
  }

  /** Stops and goes on reading, where the hub has more to do than it can. */
  pause(isPaused: boolean): void {
    this.#isHeldBack = isPaused;
    this.#setFlow();
  }

  #setFlow(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#isHeldBack || this.#frames.length > 0) this.#socket.pause();
    else this.#socket.resume();
  }

  #sendNow(message: HubMessage): void {
    this.#socket.send(encodeHubFrame([message]));
  }

  #ended(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#identity !== null) this.#host.event({ kind: 'disconnected', session: this.number });
    this.#host.ended(this);
  }

  #received(data: unknown, isBinary: boolean): void {
    if (this.#isOver) return;
    if (!isBinary || !(data instanceof Uint8Array)) {
      const message = 'Frames are binary (enclave/core/wire.ts); this one was text. Update the terminal.';
      return this.refuse({ code: 'MALFORMED', message });
    }
    if (this.#frames.length >= MAX_INCOMING_FRAMES) {
      const message = 'Too many frames came before the answer to the first. Wait for the welcome, then connect again.';
      return this.refuse({ code: 'TOO_FAST', message });
    }
    // Not a Buffer: slices of it must be copies.
    this.#frames.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    if (this.#isReading) this.#setFlow();
    else void this.#read();
  }

  /** Frames one after the other; certificates take their time, others are taken at once. */
  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      for (let frame = this.#frames.shift(); frame && !this.#isOver; frame = this.#frames.shift()) {
        for (const message of decodeTerminalFrame(frame)) {
          const slow = this.#take(message);
          if (slow) await slow;
        }
      }
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      const message = `The frame was refused: ${error.message}. Nothing after it was read; update the terminal, then connect again.`;
      this.refuse({ code: 'MALFORMED', message });
    } finally {
      this.#isReading = false;
      this.#setFlow();
    }
  }

  /** @returns a promise where signatures must be checked before anything else is read */
  #take(message: TerminalMessage): Promise<void> | null {
    if (this.#isOver) return null;
    if (message.kind === 'hello') return this.#hello(message);
    if (this.#identity === null) {
      const words = `The first message must be hello, not ${message.kind}. Update the terminal.`;
      this.refuse({ code: 'HELLO_EXPECTED', message: words });
      return null;
    }
    if (message.kind === 'announce') return this.#announce(message, this.#identity);
    this.#host.event({ kind: 'message', session: this.number, message });
    return null;
  }

  async #hello(hello: Extract<TerminalMessage, { kind: 'hello' }>): Promise<void> {
    if (this.#identity !== null) {
      return this.refuse({ code: 'HELLO_TWICE', message: 'This session is proven already. Update the terminal.' });
    }
    const { gate, names } = this.#host;
    const refusal = await whyHelloRefused(gate, hello, { names, challenge: this.#challenge });
    if (this.#isOver) return;
    if (refusal) return this.refuse(refusal);
    const { credential, certificates, profile } = hello;
    this.#identity = credential.identity;
    clearTimeout(this.#timer);
    this.#beat();
    this.#host.event({
      kind: 'connected',
      session: this.number,
      introduction: { credential, certificates },
      profile,
    });
  }

  async #announce(message: Extract<TerminalMessage, { kind: 'announce' }>, owner: Identity): Promise<void> {
    const { certificates } = message;
    const refusal = await whyCertificatesRefused(this.#host.gate, owner, { certificates, proven: this.#proven });
    if (this.#isOver) return;
    if (refusal) return this.refuse(refusal);
    this.#host.event({ kind: 'message', session: this.number, message });
  }

  #beat(): void {
    if (this.#pingedAt !== null && ++this.#missed >= MISSED_HEARTBEATS) return this.#socket.terminate();
    this.#pingedAt ??= performance.now();
    this.#socket.ping();
    this.#timer = setTimeout(() => this.#beat(), this.#host.heartbeatMs);
  }

  #ponged(): void {
    if (this.#pingedAt === null || this.#isOver) return;
    const measured = performance.now() - this.#pingedAt;
    this.#pingedAt = null;
    this.#missed = 0;
    this.#rttMs = this.#rttMs === null ? measured : this.#rttMs + SMOOTHING * (measured - this.#rttMs);
    this.#host.event({ kind: 'roundTrip', session: this.number, rttMs: this.#rttMs });
  }
}
