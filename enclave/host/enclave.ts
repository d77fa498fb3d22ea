/**
 * The host's side of an enclave: starts it, passes bytes through its one gate, writes its sealed records down before it
 * says so, and gives back results with types. It can do nothing but call (interface.ts).
 *
 * Commands given while a frame is under way share the next one: one call, one sealed record, one durable write, one
 * swap of the register (PROTOCOL.md section 4, Many at once). With nothing under way a command waits for nobody.
 */

import type { Worker } from 'node:worker_threads';
import { decode, encode } from '../core/codec.ts';
import type { AttestationPolicy } from '../core/credential.ts';
import type { Address } from '../core/ids.ts';
import {
  type Command,
  type DoorCall,
  type DoorReply,
  doorCallCodec,
  doorReplyCodec,
  type Result,
} from '../core/interface.ts';
import { MAX_COMMANDS } from '../core/limits.ts';
import type { OwnerPolicy } from '../core/order.ts';
import type { EmulatedPlatform } from './platform.ts';
import type { Vault } from './vault.ts';

/** Which result answers which command. */
interface ResultKinds {
  deriveAddress: 'address';
  describe: 'self';
  introduce: 'ok';
  setPolicy: 'ok';
  setAttestation: 'ok';
  session: 'signature';
  agree: 'messages';
  confirmDeposit: 'messages';
  deliver: 'delivered';
  resend: 'messages';
  direct: 'messages';
  order: 'order';
  cancelOrder: 'ok';
  setLimits: 'ok';
  liftLimit: 'ok';
  showLimits: 'limits';
  invoice: 'invoice';
  cancelInvoice: 'ok';
  step: 'step';
  receipt: 'receipt';
  record: 'record';
  exit: 'exit';
  close: 'exit';
  consent: 'messages';
  settled: 'ok';
  listChannels: 'channels';
  listPayments: 'payments';
  listOrders: 'orders';
  listInvoices: 'invoices';
}
export type CommandKind = Command['kind'];
export type ResultOf<K extends CommandKind> = Extract<Result, { kind: ResultKinds[K] }>;

/** The enclave refused: nothing has changed. `code` is stable; `message` says why and what to do next. */
export class EnclaveRefusal extends Error {
  readonly code: string;
  constructor(refused: { code: string; message: string }) {
    super(refused.message);
    this.name = 'EnclaveRefusal';
    this.code = refused.code;
  }
}

/** The vault could not write: what the enclave decided is not durable, so nothing of it was released. */
export class VaultFailure extends Error {
  readonly code = 'VAULT_FAILED';
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : 'unknown cause';
    super(`The sealed state could not be written: ${why}. Check the disk, then start the terminal again.`, { cause });
  }
}

/** Commands that may wait for the next frame. */
const MAX_WAITING = 65_536;
/** How long a full or failing disk is left alone before the record is tried again. */
const RETRY_WRITE_MS = 500;

interface Waiting {
  command: Command;
  resolve(result: Result): void;
  reject(cause: Error): void;
}

interface Options {
  platform: EmulatedPlatform;
  vault: Vault;
  /** Unix seconds; the owner's own clock. */
  now?: () => number;
  /** Told when the vault's disk is full; the write is tried again, and nothing is acknowledged meanwhile. */
  onFullDisk?: (cause: unknown) => void;
}

export interface CreateOptions extends Options {
  chainId: bigint;
  contract: Address;
  attestation: AttestationPolicy;
  policy: OwnerPolicy;
  /** Signs releases to which sealed state may move; null: to none. */
  releaseAuthority?: Address | null;
}

export class Enclave {
  readonly #gate: Worker;
  readonly #vault: Vault;
  readonly #now: () => number;
  readonly #onFullDisk: (cause: unknown) => void;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #stopped: Error | null = null;
  #awaited: { resolve(reply: Uint8Array): void; reject(cause: Error): void } | null = null;

  private constructor(options: Options) {
    this.#vault = options.vault;
    this.#now = options.now ?? (() => Math.floor(Date.now() / 1000));
    this.#onFullDisk = options.onFullDisk ?? (() => undefined);
    this.#gate = options.platform.start().gate;
    this.#gate.on('message', (reply: Uint8Array) => {
      const awaited = this.#awaited;
      this.#awaited = null;
      awaited?.resolve(reply);
    });
    this.#gate.on('error', (cause) => this.#stop(cause));
    this.#gate.on('exit', () =>
      this.#stop(
        new EnclaveRefusal({ code: 'STOPPED', message: 'The enclave has stopped; start the terminal again.' }),
      ),
    );
  }

  /** Makes a new terminal. The vault must be empty. */
  static async create(options: CreateOptions): Promise<Enclave> {
    const enclave = new Enclave(options);
    const { chainId, contract, attestation, policy } = options;
    const { releaseAuthority = null } = options;
    return enclave.#start({ kind: 'create', chainId, contract, attestation, policy, releaseAuthority });
  }

  /**
   * Starts a terminal from its vault.
   * @throws EnclaveRefusal STALE (an old copy), FOREIGN (of another platform or image), CORRUPT (damaged), UNBORN (never
   * finished being created: truncate the vault to nothing, and create)
   */
  static async open(options: Options): Promise<Enclave> {
    const enclave = new Enclave(options);
    const records = await options.vault.load();
    for (const record of records) await enclave.#call({ kind: 'load', records: [record] });
    const started = await enclave.#start({ kind: 'open' }, (accepted) =>
      accepted < records.length ? options.vault.truncate(accepted) : Promise.resolve(),
    );
    return started;
  }

  async #start(call: DoorCall, settle?: (accepted: number) => Promise<void>): Promise<Enclave> {
    try {
      const reply = await this.#callDurably(call);
      if (reply.kind === 'refused') throw new EnclaveRefusal(reply);
      if (reply.kind === 'opened') await settle?.(reply.accepted);
      return this;
    } catch (cause) {
      await this.close();
      throw cause;
    }
  }

  /**
   * Carries out one command; resolves when its effect is durable and anchored.
   * @throws EnclaveRefusal where the enclave refuses, or has stopped
   */
  async run<K extends CommandKind>(command: Extract<Command, { kind: K }>): Promise<ResultOf<K>> {
    const result = await new Promise<Result>((resolve, reject) => {
      if (this.#stopped) return reject(this.#stopped);
      if (this.#waiting.length >= MAX_WAITING) {
        return reject(
          new EnclaveRefusal({ code: 'BUSY', message: 'Too many commands wait for the enclave; try again later.' }),
        );
      }
      this.#waiting.push({ command, resolve, reject });
      if (!this.#isBusy) void this.#work();
    });
    if (result.kind === 'refused') throw new EnclaveRefusal(result);
    return result as ResultOf<K>;
  }

  /** Stops the worker. What was under way and unanswered is found in the vault at the next start. */
  async close(): Promise<void> {
    this.#stop(new EnclaveRefusal({ code: 'STOPPED', message: 'The enclave was closed; start the terminal again.' }));
    await this.#gate.terminate();
  }

  #stop(cause: Error): void {
    this.#stopped ??= cause;
    this.#awaited?.reject(this.#stopped);
    this.#awaited = null;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#stopped);
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    // Commands given in the same turn of the event loop travel together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_COMMANDS);
      try {
        await this.#frame(batch);
      } catch (cause) {
        const error = cause instanceof Error ? cause : new Error('the enclave failed', { cause });
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.#isBusy = false;
  }

  async #frame(batch: Waiting[]): Promise<void> {
    const commands = batch.map((waiting) => waiting.command);
    const reply = await this.#callDurably({ kind: 'frame', now: this.#now(), commands });
    if (reply.kind === 'refused') throw new EnclaveRefusal(reply);
    if (reply.kind !== 'results') throw new Error(`a frame was answered by ${reply.kind}`);
    for (const [index, waiting] of batch.entries()) {
      const result = reply.results[index];
      if (result) waiting.resolve(result);
      else waiting.reject(new Error('the enclave answered fewer commands than it got'));
    }
  }

  /** Calls, and where the answer is a sealed record, makes it durable and takes what was held back. */
  async #callDurably(call: DoorCall): Promise<DoorReply> {
    const reply = await this.#call(call);
    if (reply.kind !== 'sealed') return reply;
    await this.#write(reply);
    return this.#call({ kind: 'durable', recordHash: reply.recordHash });
  }

  /** The enclave goes on only when this record is on disk: a disk that is full now may have room later. */
  async #write(sealed: Extract<DoorReply, { kind: 'sealed' }>): Promise<void> {
    const { record: bytes, snapshot } = sealed;
    while (!this.#stopped) {
      try {
        await this.#vault.append({ bytes, snapshot });
        return;
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') this.#stop(new VaultFailure(cause));
        this.#onFullDisk(cause);
        await new Promise((resolve) => setTimeout(resolve, RETRY_WRITE_MS));
      }
    }
    throw this.#stopped;
  }

  async #call(call: DoorCall): Promise<DoorReply> {
    if (this.#stopped) throw this.#stopped;
    const bytes = encode(doorCallCodec, call);
    const reply = await new Promise<Uint8Array>((resolve, reject) => {
      this.#awaited = { resolve, reject };
      this.#gate.postMessage(bytes);
    });
    return decode(doorReplyCodec, reply);
  }
}
