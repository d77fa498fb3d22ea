/** A fake terminal at the end of a real WebSocket, for tests of the whole hub. */

import { WebSocket } from 'ws';
import type { Deployment } from '../../enclave/core/credential.ts';
import { hashPayment } from '../../enclave/core/encoding.ts';
import type { PaymentId } from '../../enclave/core/ids.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import { decodeHubFrame, encodeTerminalFrame, type HubMessage, type TerminalMessage } from '../../enclave/core/wire.ts';
import { TestKeys } from './hello.ts';
import { FakeTerminal } from './terminal.ts';

/** A bare connection: frames as they come, and what was heard. */
export class TestSocket {
  readonly heard: HubMessage[] = [];
  readonly frames: HubMessage[][] = [];
  closed: { code: number; reason: string } | null = null;
  readonly #socket: WebSocket;
  #listeners = new Set<() => void>();
  onMessage: (message: HubMessage) => void = () => undefined;
  onFrame: (messages: HubMessage[]) => void = () => undefined;

  constructor(url: string) {
    this.#socket = new WebSocket(url.replace(/^http/, 'ws'), { perMessageDeflate: false });
    this.#socket.on('message', (data: Buffer) => {
      const messages = decodeHubFrame(new Uint8Array(data));
      this.frames.push(messages);
      for (const message of messages) {
        this.heard.push(message);
        this.onMessage(message);
      }
      this.onFrame(messages);
      this.#changed();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#changed();
    });
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  send(...messages: TerminalMessage[]): void {
    this.#socket.send(encodeTerminalFrame(messages));
  }

  sendRaw(data: Uint8Array | string): void {
    this.#socket.send(data);
  }

  /** Resolves with the first truthy value of `look`, tried after everything that is heard. */
  until<T>(look: () => T | null | undefined | false): Promise<T> {
    return new Promise((resolve) => {
      const attempt = (): void => {
        const found = look();
        if (found === null || found === undefined || found === false) return;
        this.#listeners.delete(attempt);
        resolve(found);
      };
      this.#listeners.add(attempt);
      attempt();
    });
  }

  hears<K extends HubMessage['kind']>(kind: K, from = 0): Promise<Extract<HubMessage, { kind: K }>> {
    return this.until(() =>
      this.heard.slice(from).find((each): each is Extract<HubMessage, { kind: K }> => each.kind === kind),
    );
  }

  async gone(): Promise<{ code: number; reason: string }> {
    return this.until(() => this.closed);
  }

  stopReading(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** Proven, and answering steps as an enclave does. */
export class SocketTerminal {
  readonly keys: TestKeys;
  readonly fake: FakeTerminal;
  readonly #deployment: Deployment;
  socket: TestSocket | null = null;

  constructor(number: number, deployment: Deployment) {
    this.keys = new TestKeys(number);
    this.#deployment = deployment;
    const idOf = (terms: PaymentTerms): PaymentId => hashPayment(deployment.domain, terms);
    this.fake = new FakeTerminal(this.keys.identity, idOf);
  }

  /** Connects, proves itself and reports its balances. @param audience the name that it signs */
  async connect(url: string, audience = new URL(url).host): Promise<TestSocket> {
    const socket = new TestSocket(url);
    this.socket = socket;
    const { challenge } = await socket.hears('challenge');
    socket.onFrame = (messages) => {
      const answers = messages.flatMap((message): TerminalMessage[] => {
        const answer = this.fake.take(message);
        return answer ? [{ kind: 'answer', answer }] : [];
      });
      if (answers.length > 0) socket.send(...answers);
    };
    socket.send(this.keys.hello(this.#deployment, { challenge, audience, profile: this.fake.profile }));
    await socket.hears('welcome');
    this.report();
    return socket;
  }

  report(): void {
    const channels = [...this.fake.balances.keys()];
    if (channels.length === 0) return;
    const balances = channels.map((channelId) => ({ channelId, spendable: this.fake.spendable(channelId) }));
    this.socket?.send({ kind: 'balances', balances });
  }
}
