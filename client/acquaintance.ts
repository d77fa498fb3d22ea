/**
 * Terminals that this one was introduced to: by the hub on its own account, or after a lookup. The enclave verifies and
 * keeps every credential (PROTOCOL.md section 9); here is only noted what it has taken, so that nothing is asked twice.
 */

import type { Address, Identity } from '../enclave/core/ids.ts';
import type { HubMessage, Introduction } from '../enclave/core/wire.ts';
import type { EnclavePort } from './enclave-port.ts';
import { TerminalRefusal } from './refusal.ts';

export type Found = Extract<HubMessage, { kind: 'found' }>;

interface Question {
  resolve: (found: Found) => void;
  reject: (error: TerminalRefusal) => void;
}

/** Lookups under way at once. */
const MAX_QUESTIONS = 1_024;
/** Terminals whose addresses are noted here; past that the oldest are asked for again. */
const MAX_NOTED = 16_384;

export class Acquaintances {
  readonly #enclave: EnclavePort;
  readonly #ask: (identity: Identity) => void;
  readonly #questions = new Map<Identity, Question[]>();
  readonly #introduced = new Map<Identity, Promise<ReadonlySet<Address>>>();

  /** @param ask sends a lookup to the hub */
  constructor(enclave: EnclavePort, ask: (identity: Identity) => void) {
    this.#enclave = enclave;
    this.#ask = ask;
  }

  /** Hands a credential to the enclave. Rejects where the enclave refuses it. */
  async introduce(introduction: Introduction): Promise<void> {
    const { credential, certificates } = introduction;
    const taken = this.#enclave
      .run({ kind: 'introduce', credential, certificates })
      .then(() => new Set([credential.identity as Address, ...certificates.map((each) => each.address)]));
    if (this.#introduced.size >= MAX_NOTED) {
      const [oldest] = this.#introduced.keys();
      if (oldest) this.#introduced.delete(oldest);
    }
    this.#introduced.set(credential.identity, taken);
    try {
      await taken;
    } catch (error) {
      if (this.#introduced.get(credential.identity) === taken) this.#introduced.delete(credential.identity);
      throw error;
    }
  }

  /** Makes sure that the enclave knows `identity` as the owner of `party`; asks the hub where it does not. */
  async require(identity: Identity, party: Address): Promise<void> {
    const known = await this.#introduced.get(identity)?.catch(() => null);
    if (known?.has(party)) return;
    await this.lookup(identity);
  }

  /**
   * Asks the hub and introduces what it found.
   * @throws TerminalRefusal UNKNOWN_PEER, HUB_UNREACHABLE, and what the enclave refuses
   */
  lookup(identity: Identity): Promise<Found> {
    return new Promise<Found>((resolve, reject) => {
      const waiting = this.#questions.get(identity);
      if (waiting) {
        waiting.push({ resolve, reject });
        return;
      }
      if (this.#questions.size >= MAX_QUESTIONS) {
        reject(lost('too many lookups are under way'));
        return;
      }
      this.#questions.set(identity, [{ resolve, reject }]);
      this.#ask(identity);
    });
  }

  async found(found: Found): Promise<void> {
    const questions = this.#take(found.credential.identity);
    try {
      await this.introduce(found);
      for (const question of questions) question.resolve(found);
    } catch (error) {
      if (questions.length === 0) throw error;
      for (const question of questions) question.reject(error as TerminalRefusal);
    }
  }

  notFound(identity: Identity): void {
    const unknown = new TerminalRefusal({
      code: 'UNKNOWN_PEER',
      message: `The hub knows no terminal ${identity}. Check the identity; a terminal is known once it was online at this hub.`,
    });
    for (const question of this.#take(identity)) question.reject(unknown);
  }

  /** The connection is gone: its questions will not be answered. */
  disconnected(): void {
    for (const identity of [...this.#questions.keys()]) {
      for (const question of this.#take(identity)) question.reject(lost('the connection to the hub was lost'));
    }
  }

  #take(identity: Identity): Question[] {
    const questions = this.#questions.get(identity) ?? [];
    this.#questions.delete(identity);
    return questions;
  }
}

const lost = (why: string): TerminalRefusal =>
  new TerminalRefusal({
    code: 'HUB_UNREACHABLE',
    message: `The lookup was not answered: ${why}. Nothing has moved; try again when the hub is reachable.`,
  });
