/**
 * The connection to a hub: frames in and out, again and again. Shared by Node and browsers; the socket is injected.
 *
 * Invariants: what is sent in one turn of the event loop leaves as one frame (split only where it is too large); the
 * queue is bounded, and a hub too slow to take it is disconnected; after a loss the next attempt waits twice as long, up
 * to a bound, with jitter, so that a thousand terminals do not come back in the same millisecond.
 */

import { MalformedBytes } from '../enclave/core/codec.ts';
import { MAX_COMMANDS, MAX_FRAME_BYTES } from '../enclave/core/limits.ts';
import { decodeHubFrame, encodeTerminalFrame, type HubMessage, type TerminalMessage } from '../enclave/core/wire.ts';

/** What a socket must do; `ws` and a browser's WebSocket can. */
export interface LinkSocket {
  send(bytes: Uint8Array): void;
  close(): void;
  /** Bytes accepted by `send` that have not left yet. */
  readonly bufferedAmount: number;
}
export interface SocketEvents {
  open(): void;
  message(bytes: Uint8Array): void;
  /** Any sign of life beside messages (pings). */
  alive(): void;
  close(reason: string): void;
}

export interface LinkOptions {
  /** Opens a connection; calls `close` exactly once in the end, whatever happens. */
  connect(events: SocketEvents): LinkSocket;
  onFrame(messages: HubMessage[]): void;
  onOpen(): void;
  onClose(reason: string): void;
  /** In [0, 1). */
  random(): number;
}

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 30_000;
const MAX_QUEUE = 16_384;
const MAX_BUFFERED_BYTES = 4 * MAX_FRAME_BYTES;
/** Missed heartbeats until a connection counts as dead. */
const MISSED_HEARTBEATS = 3;
/** For the connection, the challenge and the welcome together. */
const HANDSHAKE_MS = 15_000;

export class Link {
  readonly #options: LinkOptions;
  #socket: LinkSocket | null = null;
  #isOpen = false;
  #queue: TerminalMessage[] = [];
  #flush: ReturnType<typeof setTimeout> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #silence: ReturnType<typeof setTimeout> | null = null;
  #patienceMs = HANDSHAKE_MS;
  #pauseMs = FIRST_PAUSE_MS;
  #stopped = true;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connect();
  }

  /** No event follows. */
  stop(): void {
    this.#stopped = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#drop('stopped');
  }

  /** Queued until the end of this turn. Without a connection it is dropped: the session writes it again. */
  send(messages: readonly TerminalMessage[]): void {
    if (!this.#isOpen || messages.length === 0) return;
    const buffered = this.#socket?.bufferedAmount ?? 0;
    if (this.#queue.length + messages.length > MAX_QUEUE || buffered > MAX_BUFFERED_BYTES) {
      this.#drop('the hub reads too slowly');
      return;
    }
    this.#queue.push(...messages);
    this.#flush ??= setTimeout(() => this.#send(), 0);
  }

  /** The session stands: the pause starts over, and the hub must show signs of life at this interval. */
  established(heartbeatMs: number): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#patienceMs = Math.max(heartbeatMs, 100) * MISSED_HEARTBEATS;
    this.#alive();
  }

  /** Gives this connection up and tries again later. */
  disconnect(reason: string): void {
    this.#drop(reason);
  }

  #connect(): void {
    this.#patienceMs = HANDSHAKE_MS;
    // Events of a connection that was given up are not of interest.
    const current = { dropped: false };
    const only = (react: () => void): void => {
      if (!current.dropped) react();
    };
    this.#dropCurrent = () => {
      current.dropped = true;
    };
    this.#alive();
    this.#socket = this.#options.connect({
      open: () =>
        only(() => {
          this.#isOpen = true;
          this.#options.onOpen();
        }),
      message: (bytes) => only(() => this.#receive(bytes)),
      alive: () => only(() => this.#isOpen && this.#patienceMs !== HANDSHAKE_MS && this.#alive()),
      close: (reason) => only(() => this.#drop(reason)),
    });
  }

  #dropCurrent: () => void = () => undefined;

  #receive(bytes: Uint8Array): void {
    if (this.#patienceMs !== HANDSHAKE_MS) this.#alive();
    let messages: HubMessage[];
    try {
      messages = decodeHubFrame(bytes);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      this.#drop(`the hub sent a malformed frame: ${error.message}`);
      return;
    }
    this.#options.onFrame(messages);
  }

  #alive(): void {
    if (this.#silence) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#drop('the hub is silent'), this.#patienceMs);
  }

  #send(): void {
    this.#flush = null;
    const messages = this.#queue;
    this.#queue = [];
    for (let at = 0; at < messages.length; at += MAX_COMMANDS) this.#sendFrame(messages.slice(at, at + MAX_COMMANDS));
  }

  #sendFrame(messages: TerminalMessage[]): void {
    const frame = encodeTerminalFrame(messages);
    if (frame.length <= MAX_FRAME_BYTES || messages.length === 1) {
      this.#socket?.send(frame);
      return;
    }
    const half = messages.length >> 1;
    this.#sendFrame(messages.slice(0, half));
    this.#sendFrame(messages.slice(half));
  }

  #drop(reason: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#queue = [];
    if (this.#flush) clearTimeout(this.#flush);
    this.#flush = null;
    if (this.#silence) clearTimeout(this.#silence);
    this.#dropCurrent();
    socket?.close();
    if (this.#stopped) return;
    this.#options.onClose(reason);
    // Between half and the whole of the pause.
    const waitMs = this.#pauseMs * (0.5 + this.#options.random() / 2);
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    if (this.#retry) clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), waitMs);
  }
}
