/**
 * Questions for a route and the hub's answers (enclave/core/wire.ts, routeRequest). A quote is the hub's word: good for
 * showing before paying, and binding for nobody.
 */

import { type Address, type Bytes16, bytes16, type Identity } from '../enclave/core/ids.ts';
import type { HubMessage } from '../enclave/core/wire.ts';
import { TerminalRefusal } from './refusal.ts';

export type RouteQuoteMessage = Extract<HubMessage, { kind: 'routeQuote' }>;

export interface RouteWish {
  payee: Identity;
  token: Address;
  amount: bigint;
}

/** What a payment would take now. */
export interface RouteQuote {
  /** Channels that it would cross. */
  hops: number;
  /** What all intermediaries together would keep. */
  fee: bigint;
  /** How long the hub expects it to take, in milliseconds. */
  expectedMs: number;
}

interface Question {
  resolve: (quote: RouteQuote) => void;
  reject: (error: TerminalRefusal) => void;
}

/** Questions under way at once. */
const MAX_QUESTIONS = 64;

export class Quotes {
  readonly #questions = new Map<Bytes16, Question>();
  #count = 0n;

  /** @param ask sends the question; @throws TerminalRefusal with the hub's code, or HUB_UNREACHABLE */
  ask(ask: (requestId: Bytes16) => void): Promise<RouteQuote> {
    return new Promise((resolve, reject) => {
      if (this.#questions.size >= MAX_QUESTIONS) return reject(lost('too many questions are under way'));
      const requestId = bytes16(`0x${(++this.#count).toString(16).padStart(32, '0')}`);
      this.#questions.set(requestId, { resolve, reject });
      ask(requestId);
    });
  }

  answered({ requestId, code, message, hops, fee, expectedMs }: RouteQuoteMessage): void {
    const question = this.#questions.get(requestId);
    this.#questions.delete(requestId);
    if (code === '') question?.resolve({ hops, fee, expectedMs });
    else question?.reject(new TerminalRefusal({ code, message }));
  }

  /** The connection is gone: its questions will not be answered. */
  disconnected(): void {
    for (const { reject } of this.#questions.values()) reject(lost('the connection to the hub was lost'));
    this.#questions.clear();
  }
}

const lost = (why: string): TerminalRefusal =>
  new TerminalRefusal({
    code: 'HUB_UNREACHABLE',
    message: `The hub did not say what the payment would take: ${why}. Nothing was paid; ask again, or check the hub.`,
  });
