/** The platform as the enclave sees it: questions through a port of its own, answered in order of asking. */

import type { Address, Bytes16, Bytes32, Hex } from './ids.ts';
import type { Platform } from './platform.ts';

/** What the platform gives an enclave with its first breath. */
export interface PlatformBoot {
  measurement: Bytes32;
  sealingKey: Uint8Array;
}

export type PlatformQuestion =
  | { ask: 'quote'; report: Uint8Array }
  | { ask: 'read'; log: Bytes16 }
  | { ask: 'swap'; log: Bytes16; from: Bytes32 | null; to: Bytes32 };

/** `failed` carries a reason in words: the enclave halts on it, since it cannot know what the register holds. */
export type PlatformAnswer = { failed: string } | { answer: unknown };

interface Port {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

export class PlatformClient implements Platform {
  readonly measurement: Bytes32;
  readonly sealingKey: Uint8Array;
  readonly #port: Port;
  readonly #waiting: ((answer: PlatformAnswer) => void)[] = [];

  constructor(boot: PlatformBoot, port: Port) {
    this.measurement = boot.measurement;
    this.sealingKey = boot.sealingKey;
    this.#port = port;
    port.on('message', (answer) => this.#waiting.shift()?.(answer as PlatformAnswer));
  }

  async #ask(question: PlatformQuestion): Promise<unknown> {
    const answer = await new Promise<PlatformAnswer>((resolve) => {
      this.#waiting.push(resolve);
      this.#port.postMessage(question);
    });
    if ('failed' in answer) throw new Error(`the platform failed: ${answer.failed}`);
    return answer.answer;
  }

  async quote(report: Uint8Array): Promise<{ authority: Address; signature: Hex }> {
    return (await this.#ask({ ask: 'quote', report })) as { authority: Address; signature: Hex };
  }

  async readRegister(log: Bytes16): Promise<Bytes32 | null> {
    return (await this.#ask({ ask: 'read', log })) as Bytes32 | null;
  }

  async swapRegister(log: Bytes16, from: Bytes32 | null, to: Bytes32): Promise<boolean> {
    return (await this.#ask({ ask: 'swap', log, from, to })) === true;
  }
}
