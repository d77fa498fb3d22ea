/**
 * The enclave's door: bytes in, bytes out, one call at a time (interface.ts lists the calls).
 *
 * Anchor, then release (PROTOCOL.md section 6): a frame that changes something is answered by its sealed record alone.
 * Its results leave only on `durable`, after the platform's register was swapped from the last record's hash to this
 * one's. A swap that fails means that another instance has gone on from here: this one halts for good.
 */

import { decode, encode, MalformedBytes } from './codec.ts';
import { type Quote, reportData } from './credential.ts';
import { type DoorCall, type DoorReply, doorCallCodec, doorReplyCodec } from './interface.ts';
import { runFrame } from './machine.ts';
import type { Platform } from './platform.ts';
import {
  BrokenSeal,
  type ChainEnd,
  isFirstRecord,
  logOf,
  newLog,
  restore,
  type SealedRecord,
  sealChanges,
  sealSnapshot,
} from './seal.ts';
import { setPolicy } from './self.ts';
import { newState, type State } from './state.ts';

/** Changes are sealed as such until they outgrow this many bytes and the last snapshot. */
const SNAPSHOT_AFTER_BYTES = 1024 * 1024;

interface Running {
  state: State;
  quote: Quote;
  end: ChainEnd;
  /** Bytes of change records since the last snapshot, and the size of that one. */
  sinceSnapshot: number;
  snapshotBytes: number;
}

/** What waits for its record to be durable and anchored. */
interface Held {
  record: SealedRecord;
  from: ChainEnd | null;
  release: DoorReply;
}

type Refusal = Extract<DoorReply, { kind: 'refused' }>;
const refusal = (code: string, message: string): Refusal => ({ kind: 'refused', code, message });

export class Door {
  readonly #platform: Platform;
  readonly #random: (length: number) => Uint8Array;
  #loaded: Uint8Array[] = [];
  #running: Running | null = null;
  #held: Held | null = null;
  #halted: Refusal | null = null;

  constructor(platform: Platform, random: (length: number) => Uint8Array) {
    this.#platform = platform;
    this.#random = random;
  }

  /** Answers one call. Never rejects: what cannot be answered is refused in the reply. */
  async call(bytes: Uint8Array): Promise<Uint8Array> {
    return encode(doorReplyCodec, await this.#answer(bytes));
  }

  async #answer(bytes: Uint8Array): Promise<DoorReply> {
    if (this.#halted) return this.#halted;
    let call: DoorCall;
    try {
      call = decode(doorCallCodec, bytes);
    } catch (cause) {
      if (!(cause instanceof MalformedBytes)) throw cause;
      return refusal('MALFORMED', `The call cannot be read: ${cause.message}.`);
    }
    try {
      return await this.#carryOut(call);
    } catch (cause) {
      if (cause instanceof BrokenSeal) return refusal(cause.code, cause.message);
      // State and log may have parted: nothing more may leave this instance. A start from the log is sound.
      this.#halted = refusal(
        'HALTED',
        `The enclave has stopped: ${cause instanceof Error ? cause.message : 'unknown cause'}. Start it again.`,
      );
      return this.#halted;
    }
  }

  async #carryOut(call: DoorCall): Promise<DoorReply> {
    if (this.#held && call.kind !== 'durable') {
      return refusal('NOT_DURABLE', 'A sealed record waits to be written; write it and say so before the next call.');
    }
    switch (call.kind) {
      case 'create':
        return this.#running ? refusal('STARTED', 'This enclave runs already.') : this.#create(call);
      case 'load':
        if (this.#running) return refusal('STARTED', 'This enclave runs already.');
        this.#loaded.push(...call.records);
        return { kind: 'loaded', records: this.#loaded.length };
      case 'open':
        return this.#running ? refusal('STARTED', 'This enclave runs already.') : this.#open();
      case 'frame':
        return this.#running
          ? this.#frame(this.#running, call)
          : refusal('NOT_STARTED', 'Create or open this enclave first.');
      case 'durable':
        return this.#release(call);
    }
  }

  async #create(call: Extract<DoorCall, { kind: 'create' }>): Promise<DoorReply> {
    const { chainId, contract, releaseAuthority, policy, attestation } = call;
    const seed = this.#random(32);
    const state = newState({ seed, chainId, contract, releaseAuthority }, { policy, attestation });
    const checked = setPolicy(state, { kind: 'setPolicy', ...policy }, { random: this.#random }).result();
    if (checked.kind === 'refused') return refusal(checked.code, checked.message);
    const record = sealSnapshot(this.#sealer(), newLog(this.#random), state);
    await this.#start(state, record.end, record.bytes.length);
    return this.#hold(record, null, { kind: 'opened', accepted: 1 });
  }

  async #open(): Promise<DoorReply> {
    const [first] = this.#loaded;
    const log = first && logOf(first);
    if (!log) return refusal('CORRUPT', 'The first record is no sealed record; the file is damaged or not a vault.');
    const anchored = await this.#platform.readRegister(log);
    if (anchored === null) {
      if (this.#loaded.length === 1 && isFirstRecord(first)) {
        return refusal('UNBORN', 'This terminal never finished being created; nothing was lost. Create it anew.');
      }
      return refusal(
        'FOREIGN',
        'This platform has never anchored these records: they belong to another platform directory.',
      );
    }
    const { state, end, accepted } = restore(this.#platform.sealingKey, this.#loaded, anchored);
    const running = await this.#start(state, end, first.length);
    for (const record of this.#loaded.slice(1, accepted)) running.sinceSnapshot += record.length;
    this.#loaded = [];
    return { kind: 'opened', accepted };
  }

  async #start(state: State, end: ChainEnd, snapshotBytes: number): Promise<Running> {
    const { keyRing, deployment } = state;
    const { measurement } = this.#platform;
    const signed = await this.#platform.quote(reportData(keyRing, deployment));
    const quote = { platform: 'emulated' as const, measurement, ...signed };
    this.#running = { state, quote, end, sinceSnapshot: 0, snapshotBytes };
    return this.#running;
  }

  #frame(running: Running, call: Extract<DoorCall, { kind: 'frame' }>): DoorReply {
    const { state, quote, end } = running;
    const { results, changes } = runFrame(state, call, { quote, random: this.#random });
    const release: DoorReply = { kind: 'results', results };
    if (changes.length === 0) return release;
    const isSnapshotDue = running.sinceSnapshot > Math.max(SNAPSHOT_AFTER_BYTES, running.snapshotBytes);
    const record = isSnapshotDue
      ? sealSnapshot(this.#sealer(), end, state)
      : sealChanges(this.#sealer(), end, { clock: state.clock, changes });
    running.sinceSnapshot = isSnapshotDue ? 0 : running.sinceSnapshot + record.bytes.length;
    if (isSnapshotDue) running.snapshotBytes = record.bytes.length;
    running.end = record.end;
    return this.#hold(record, end, release, isSnapshotDue);
  }

  #hold(record: SealedRecord, from: ChainEnd | null, release: DoorReply, snapshot = true): DoorReply {
    this.#held = { record, from, release };
    return { kind: 'sealed', record: record.bytes, recordHash: record.end.hash, snapshot };
  }

  async #release(call: Extract<DoorCall, { kind: 'durable' }>): Promise<DoorReply> {
    const held = this.#held;
    if (held?.record.end.hash !== call.recordHash) {
      return refusal('WRONG_RECORD', 'No record with this hash waits to become durable.');
    }
    const { log, hash } = held.record.end;
    if (!(await this.#platform.swapRegister(log, held.from?.hash ?? null, hash))) {
      this.#halted = refusal(
        'ANCHOR_FAILED',
        'Another instance of this terminal has gone on from the same state, so this one has stopped. Run one instance only.',
      );
      return this.#halted;
    }
    this.#held = null;
    return held.release;
  }

  #sealer() {
    return { sealingKey: this.#platform.sealingKey, random: this.#random };
  }
}
