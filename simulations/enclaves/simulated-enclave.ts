/**
 * A terminal's enclave behind its real door, with a log and a platform in memory, and a host that does what it is told.
 * The clock is the test's; randomness is seeded, so that a run repeats to the byte.
 */

import { decode, encode } from '../../enclave/core/codec.ts';
import type { AttestationPolicy, Credential } from '../../enclave/core/credential.ts';
import { Door } from '../../enclave/core/door.ts';
import { ascii, keyedHash } from '../../enclave/core/hash.ts';
import type { Address, Identity } from '../../enclave/core/ids.ts';
import {
  type Command,
  type DoorCall,
  type DoorReply,
  doorCallCodec,
  doorReplyCodec,
  type Result,
} from '../../enclave/core/interface.ts';
import type { OwnerPolicy } from '../../enclave/core/order.ts';
import type { Introduction } from '../../enclave/core/wire.ts';
import type { MemoryPlatform } from './memory-platform.ts';

export type ResultFor<K extends Result['kind']> = Extract<Result, { kind: K }>;

/** Bytes that look random and repeat with the same label. */
export function seededBytes(label: string): (length: number) => Uint8Array {
  let count = 0;
  const key = keyedHash(new Uint8Array(32), ascii(label));
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 32)
      bytes.set(keyedHash(key, ascii(String(count++))).subarray(0, length - at), at);
    return bytes;
  };
}

export interface SimulatedOptions {
  label: string;
  platform: MemoryPlatform;
  chainId: bigint;
  contract: Address;
  policy: OwnerPolicy;
  attestation: AttestationPolicy;
}

export class SimulatedEnclave {
  /** Unix seconds of this host's clock. */
  now = 1_800_000_000;
  records: Uint8Array[] = [];
  readonly #options: SimulatedOptions;
  #door: Door;
  #starts = 0;

  private constructor(options: SimulatedOptions) {
    this.#options = options;
    this.#door = this.#newDoor();
  }

  static async create(options: SimulatedOptions): Promise<SimulatedEnclave> {
    const enclave = new SimulatedEnclave(options);
    const { chainId, contract, policy, attestation } = options;
    const reply = await enclave.callDurably({
      kind: 'create',
      chainId,
      contract,
      policy,
      attestation,
      releaseAuthority: null,
    });
    if (reply.kind !== 'opened') throw new Error(`create was answered by ${JSON.stringify(reply)}`);
    return enclave;
  }

  #newDoor(): Door {
    const { platform, label } = this.#options;
    return new Door(platform, seededBytes(`${label} ${this.#starts++}`));
  }

  /** The terminal as it is after a crash: a new instance from these records. */
  async restart(records = this.records): Promise<DoorReply> {
    this.#door = this.#newDoor();
    await this.call({ kind: 'load', records });
    const reply = await this.call({ kind: 'open' });
    if (reply.kind === 'opened') this.records = records.slice(0, reply.accepted);
    return reply;
  }

  async call(call: DoorCall): Promise<DoorReply> {
    return decode(doorReplyCodec, await this.#door.call(encode(doorCallCodec, call)));
  }

  async callDurably(call: DoorCall): Promise<DoorReply> {
    const reply = await this.call(call);
    if (reply.kind !== 'sealed') return reply;
    this.records = reply.snapshot ? [reply.record] : [...this.records, reply.record];
    return this.call({ kind: 'durable', recordHash: reply.recordHash });
  }

  async frame(commands: Command[]): Promise<Result[]> {
    const reply = await this.callDurably({ kind: 'frame', now: this.now, commands });
    if (reply.kind !== 'results') throw new Error(`a frame was answered by ${JSON.stringify(reply)}`);
    return reply.results;
  }

  async run(command: Command): Promise<Result> {
    const [result] = await this.frame([command]);
    if (!result) throw new Error('a command got no result');
    return result;
  }

  /** The result of a command that must be answered by this kind. */
  async expect<K extends Result['kind']>(kind: K, command: Command): Promise<ResultFor<K>> {
    const result = await this.run(command);
    if (result.kind !== kind) throw new Error(`${command.kind} was answered by ${JSON.stringify(result, jsonBigint)}`);
    return result as ResultFor<K>;
  }

  async introduction(): Promise<Introduction> {
    const { credential, certificates } = await this.expect('self', { kind: 'describe' });
    return { credential, certificates };
  }

  async credential(): Promise<Credential> {
    return (await this.introduction()).credential;
  }

  async identity(): Promise<Identity> {
    return (await this.credential()).identity;
  }
}

const jsonBigint = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
