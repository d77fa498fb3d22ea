/** Everything that any enclave ever let out, numbered: what the adversary has is a set of these numbers. */

import { toHex } from '../../enclave/core/codec.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Result, SignedExit } from '../../enclave/core/interface.ts';
import type { EvidenceTag } from '../../enclave/core/pair.ts';
import type { World } from './shapes.ts';

export const OUTCOMES: readonly Outcome[] = ['VOID', 'APPLIED'];
const TAGS: readonly EvidenceTag[] = ['PRE', 'POST', 'REJECT', 'DONE'];

export type Item =
  | { kind: 'evidence'; tag: EvidenceTag; payment: number; sender: number }
  | { kind: 'aborted'; payment: number; by: number }
  | { kind: 'exit'; channel: number; signer: number; exit: SignedExit }
  | { kind: 'record'; payment: number; outcome: Outcome; signer: number }
  | { kind: 'message'; to: number; message: Uint8Array };

/** 16-bit units for what is known in a state, and so a bound on what can be let out. */
export const KNOWN_WORDS = 4;

export class Knowledge {
  readonly items: Item[] = [];
  /** Numbers of records and exits. */
  readonly forChain: number[] = [];
  readonly #world: World;
  readonly #numbers = new Map<string, number>();
  readonly #messages = new Map<number, number[]>();
  readonly #macs = new Map<number, Uint8Array[]>();

  constructor(world: World) {
    this.#world = world;
    for (const [payment, { participants }] of world.payments.entries()) {
      for (const tag of TAGS) for (const sender of participants) this.evidence(tag, payment, sender);
    }
  }

  #number(key: string, item: () => Item): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.items.length;
    if (number >= 16 * KNOWN_WORDS) throw new Error('more was let out than an explored state can name');
    this.#numbers.set(key, number);
    const made = item();
    this.items.push(made);
    if (made.kind === 'record' || made.kind === 'exit') this.forChain.push(number);
    if (made.kind === 'message') this.#messages.set(made.to, [...this.messagesTo(made.to), number]);
    return number;
  }

  messagesTo(terminal: number): number[] {
    return this.#messages.get(terminal) ?? [];
  }

  evidence(tag: EvidenceTag, payment: number, sender: number): number {
    return this.#number(`${tag} ${payment} ${sender}`, () => ({ kind: 'evidence', tag, payment, sender }));
  }

  aborted(payment: number, by: number): number {
    return this.#number(`aborted ${payment} ${by}`, () => ({ kind: 'aborted', payment, by }));
  }

  /** The evidence bytes that `sender` let out for `receiver`. */
  macOf(about: { tag: EvidenceTag; payment: number; sender: number; receiver: number }): Uint8Array {
    const { tag, payment, sender, receiver } = about;
    const macs = this.#macs.get(this.evidence(tag, payment, sender));
    const others = this.#world.payments[payment]?.participants.filter((each) => each !== sender) ?? [];
    const mac = macs?.[others.indexOf(receiver)];
    if (!mac) throw new Error('evidence is used that was never let out');
    return mac;
  }

  /** Numbers of what a result lets out. */
  learn(from: number, result: Result): number[] {
    switch (result.kind) {
      case 'step':
        return this.#learnAnswer(from, result);
      case 'exit':
        return [this.#exit(from, result.exit)];
      case 'record': {
        const { paymentId, outcome } = result.record;
        const payment = this.#paymentOf(paymentId);
        return payment < 0
          ? []
          : [this.#number(`record ${payment} ${outcome}`, () => ({ kind: 'record', payment, outcome, signer: from }))];
      }
      case 'messages':
        return result.messages.map((message) => this.#message(message));
      case 'delivered':
        return result.replies.map((message) => this.#message(message));
      default:
        return [];
    }
  }

  #paymentOf(paymentId: string): number {
    return this.#world.payments.findIndex((each) => each.paymentId === paymentId);
  }

  #learnAnswer(from: number, result: Extract<Result, { kind: 'step' }>): number[] {
    const { answer } = result;
    const payment = this.#paymentOf(answer.paymentId);
    if (payment < 0) return [];
    if (answer.kind === 'aborted') return [this.aborted(payment, from)];
    if (!('evidence' in answer)) return [];
    const tags = { prepared: 'PRE', updated: 'POST', rejected: 'REJECT', completed: 'DONE' } as const;
    const number = this.evidence(tags[answer.kind], payment, from);
    this.#macs.set(number, answer.evidence);
    return [number];
  }

  #exit(signer: number, exit: SignedExit): number {
    const channel = this.#world.channels.findIndex((each) => each.channelId === exit.channelId);
    return this.#number(`exit ${exit.signature}`, () => ({ kind: 'exit', channel, signer, exit }));
  }

  #message(message: Uint8Array): number {
    const receiver = `0x${Buffer.from(message.subarray(20, 40)).toString('hex')}`;
    const to = this.#world.network.identities.findIndex((each) => each === receiver);
    return this.#number(`message ${toHex(message)}`, () => ({ kind: 'message', to, message }));
  }
}
