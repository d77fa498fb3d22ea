/**
 * Everything that an enclave can let out, numbered: what the adversary has is a set of these numbers, a bit each.
 * Exits that the contract takes alike are one item, whoever signed them; so are records.
 */

import { toHex } from '../../enclave/core/codec.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Result, SignedExit } from '../../enclave/core/interface.ts';
import { EVIDENCE_BYTES, type EvidenceTag } from '../../enclave/core/pair.ts';
import { type ProvenExit, proveExit, proveRecord, type SignedRecord } from '../contract-model.ts';
import { DOMAIN } from '../enclaves/simulated-network.ts';
import type { World } from './world.ts';

export const TAGS: readonly EvidenceTag[] = ['PRE', 'POST', 'REJECT', 'DONE'];

export type Item =
  | { kind: 'evidence'; tag: EvidenceTag; payment: number; sender: number }
  | { kind: 'aborted'; payment: number; by: number }
  | { kind: 'exit'; channel: number; exit: ProvenExit }
  | { kind: 'record'; payment: number; outcome: Outcome }
  | { kind: 'message'; to: number; message: Uint8Array };

/** Evidence from one participant to another. */
export interface Mac {
  tag: EvidenceTag;
  payment: number;
  sender: number;
  receiver: number;
}

export const bit = (item: number): bigint => 1n << BigInt(item);
export const has = (set: bigint, part: bigint): boolean => (set & part) === part;

export class Knowledge {
  readonly items: Item[] = [];
  /** Items that somebody lets out somewhere, and those that need no enclave. */
  emitted = 0n;
  readonly fromStrangers: bigint;
  readonly #world: World;
  readonly #numbers = new Map<string, number>();
  readonly #macs = new Map<number, Map<number, Uint8Array>>();
  readonly #exits = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    for (const { payment, sender, tag, macs } of world.forged) {
      const number = this.evidence(tag, payment, sender);
      this.#macs.set(number, macs);
      this.emitted |= bit(number);
    }
    for (const record of world.strangersRecords) this.emitted |= this.#record(record);
    this.fromStrangers = this.emitted;
  }

  #number(key: string, item: () => Item): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.items.push(item()) - 1;
    this.#numbers.set(key, number);
    return number;
  }

  evidence(tag: EvidenceTag, payment: number, sender: number): number {
    return this.#number(`${tag} ${payment} ${sender}`, () => ({ kind: 'evidence', tag, payment, sender }));
  }

  aborted(payment: number, by: number): number {
    return this.#number(`aborted ${payment} ${by}`, () => ({ kind: 'aborted', payment, by }));
  }

  /** What a terminal lets out that its owner may have to pay for: its PRE. */
  owedBy(self: number): bigint {
    return this.#world.payments.reduce((set, _, payment) => set | bit(this.evidence('PRE', payment, self)), 0n);
  }

  /** Evidence bytes that were let out; nothing but zeros where a sender never made any for that receiver. */
  macOf({ tag, payment, sender, receiver }: Mac): Uint8Array {
    return this.#macs.get(this.evidence(tag, payment, sender))?.get(receiver) ?? new Uint8Array(EVIDENCE_BYTES);
  }

  /** What a result lets out, as a set. */
  learn(from: number, result: Result): bigint {
    const learned = this.#read(from, result);
    this.emitted |= learned;
    return learned;
  }

  #read(from: number, result: Result): bigint {
    switch (result.kind) {
      case 'step':
        return this.#answer(from, result);
      case 'exit':
        return this.#exit(result.exit);
      case 'record':
        return this.#record(result.record);
      case 'messages':
        return result.messages.reduce((set, message) => set | this.#message(message), 0n);
      case 'delivered':
        return result.replies.reduce((set, message) => set | this.#message(message), 0n);
      default:
        return 0n;
    }
  }

  #answer(from: number, result: Extract<Result, { kind: 'step' }>): bigint {
    const { answer } = result;
    const payment = this.#world.payments.findIndex((each) => each.paymentId === answer.paymentId);
    if (payment < 0) return 0n;
    if (answer.kind === 'aborted') return bit(this.aborted(payment, from));
    if (!('evidence' in answer)) return 0n;
    const tags = { prepared: 'PRE', updated: 'POST', rejected: 'REJECT', completed: 'DONE' } as const;
    const number = this.evidence(tags[answer.kind], payment, from);
    const macs = this.#macs.get(number) ?? new Map<number, Uint8Array>();
    const others = this.#world.payments[payment]?.participants.filter((each) => each !== from) ?? [];
    // Answered to a list of participants that names one twice, evidence comes twice: it is the same.
    const named = answer.evidence.length === others.length ? others : [];
    for (const [index, receiver] of named.entries()) macs.set(receiver, answer.evidence[index] ?? new Uint8Array());
    this.#macs.set(number, macs);
    return bit(number);
  }

  /** By what the contract makes of it; what it would refuse is of no use. */
  #exit(exit: SignedExit): bigint {
    const known = this.#exits.get(exit.signature);
    if (known !== undefined) return bit(known);
    const proven = proveExit(DOMAIN, exit);
    if (typeof proven === 'string') throw new Error(`an enclave signed an exit that reverts: ${proven}`);
    const channel = this.#world.channels.findIndex((each) => each.channelId === proven.channel);
    const entries = proven.entries.map(({ payment, writes }) => `${payment} ${writes}`).join();
    const key = `exit ${proven.channel} ${proven.sentA} ${proven.sentB} ${entries}`;
    const number = this.#number(key, () => ({ kind: 'exit', channel, exit: proven }));
    this.#exits.set(exit.signature, number);
    return bit(number);
  }

  #record(record: SignedRecord): bigint {
    const proven = proveRecord(DOMAIN, record);
    if (typeof proven === 'string') return 0n;
    const payment = this.#world.payments.findIndex((each) => each.paymentId === proven.payment);
    const { outcome } = proven;
    if (payment < 0) return 0n;
    return bit(this.#number(`record ${payment} ${outcome}`, () => ({ kind: 'record', payment, outcome })));
  }

  #message(message: Uint8Array): bigint {
    const receiver = `0x${Buffer.from(message.subarray(20, 40)).toString('hex')}`;
    const to = this.#world.network.identities.findIndex((each) => each === receiver);
    return bit(this.#number(`message ${toHex(message)}`, () => ({ kind: 'message', to, message })));
  }
}
