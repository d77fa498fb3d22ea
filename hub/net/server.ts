/**
 * The hub's port: HTTP and the terminals' WebSocket on one (enclave/core/wire.ts). The one import place of `ws`.
 * Sessions are numbered, and a number is never used again, so that nothing meant for an old session reaches a new one.
 */

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MAX_FRAME_BYTES } from '../../enclave/core/limits.ts';
import type { HubMessage } from '../../enclave/core/wire.ts';
import type { HubEvent, SessionNumber } from '../core/events.ts';
import type { Limits } from '../core/limits.ts';
import { type Arrival, namesAt } from './audience.ts';
import type { Gate, SessionRefusal } from './hello.ts';
import { Session } from './session.ts';

export interface ServerOptions {
  readonly gate: Gate;
  readonly heartbeatMs: number;
  /** Beside the address that it listens on (audience.ts). */
  readonly publicNames: readonly string[];
  readonly limits: Limits;
  readonly request: RequestListener;
  event(event: HubEvent): void;
}

class PortInUse extends Error {
  readonly code = 'PORT_IN_USE';
}

export class HubServer {
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #sessions = new Map<SessionNumber, Session>();
  readonly #unproven = new Set<Session>();
  readonly #dirty = new Set<Session>();
  readonly #options: ServerOptions;
  #numbers = 0;
  #host = '';
  #isPaused = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#http = createServer(options.request);
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.#isFull()) return turnAway(socket);
      this.#sockets.handleUpgrade(request, socket, head, (connected) => {
        this.#connected(connected, { address: request.socket.localAddress ?? '', port: request.socket.localPort ?? 0 });
      });
    });
  }

  /** @throws PortInUse */
  listen(host: string, port: number): Promise<number> {
    this.#host = host;
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error) => {
        const inUse = 'code' in error && error.code === 'EADDRINUSE';
        const words = `Port ${port} on ${host} is in use by another program. Choose another --port, or 0 for a free one.`;
        reject(inUse ? new PortInUse(words, { cause: error }) : error);
      });
      this.#http.listen(port, host, () => resolve((this.#http.address() as AddressInfo).port));
    });
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  #isFull(): boolean {
    for (const session of this.#unproven) if (session.isProven) this.#unproven.delete(session);
    const { maxSessions, maxUnproven } = this.#options.limits;
    return this.#sessions.size >= maxSessions || this.#unproven.size >= maxUnproven;
  }

  #connected(socket: WebSocket, arrival: Arrival): void {
    const session = new Session(++this.#numbers, socket, {
      gate: this.#options.gate,
      heartbeatMs: this.#options.heartbeatMs,
      helloTimeoutMs: this.#options.limits.helloTimeoutMs,
      names: namesAt(arrival, { host: this.#host, publicNames: this.#options.publicNames }),
      event: (event) => this.#options.event(event),
      dirty: (each) => this.#dirty.add(each),
      ended: (each) => this.#forget(each),
    });
    this.#sessions.set(session.number, session);
    this.#unproven.add(session);
    if (this.#isPaused) session.pause(true);
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.number);
    this.#unproven.delete(session);
    this.#dirty.delete(session);
  }

  /** Leaves with the next flush; nothing where the session is gone. */
  send(number: SessionNumber, message: HubMessage): void {
    this.#sessions.get(number)?.send(message);
  }

  refuse(number: SessionNumber, refusal: SessionRefusal): void {
    this.#sessions.get(number)?.refuse(refusal);
  }

  /** Sends what the turn had to say: one frame for each terminal. */
  flush(): void {
    for (const session of this.#dirty) session.flush();
    this.#dirty.clear();
  }

  /** While the hub is behind, nothing is read from anybody. */
  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    for (const session of this.#sessions.values()) session.pause(isPaused);
  }

  async close(): Promise<void> {
    const message = 'The hub is stopping. Connect again in a moment.';
    for (const session of this.#sessions.values()) session.refuse({ code: 'HUB_STOPPING', message });
    this.#sockets.close();
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeIdleConnections();
      setTimeout(() => this.#http.closeAllConnections(), 500).unref();
    });
  }
}

function turnAway(socket: Duplex): void {
  const body = 'This hub has as many connections as it takes. Connect again in a moment.\n';
  const head = `HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}`;
  socket.end(`${head}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n${body}`);
}
