/**
 * The terminal's own view of the chain: follows the contract from its cursor on, for as long as the terminal runs.
 *
 * Invariant: the cursor is stored after what it passed was reported, so that nothing is missed over a crash. A dead RPC
 * is told once and waited out; another chain is never followed (PROTOCOL.md section 2: the host's view of the chain
 * serves its own owner).
 */

import { ChainError } from '../../contracts/errors.ts';
import { followChannels } from '../../contracts/follow.ts';
import { chainFingerprint } from '../../contracts/rpc.ts';
import type { Address } from '../../enclave/core/ids.ts';
import type { Journal } from '../journal/journal.ts';
import { codeOf, messageOf } from '../refusal.ts';
import type { ChainConnection } from './connection.ts';
import type { ChainReporter } from './reporter.ts';

export interface ChainViewOptions {
  connection: ChainConnection;
  reporter: ChainReporter;
  journal: Journal;
  chainId: bigint;
  address: Address;
  fromBlock: number;
  confirmations: number;
  pollMs: number;
  /** Once per kind of trouble, until it is over. */
  onTrouble(trouble: { code: string; message: string }): void;
  onRecovered(): void;
}

const MAX_BLOCK_RANGE = 2_000;
const MAX_PAUSE_MS = 30_000;

export class ChainView {
  readonly #options: ChainViewOptions;
  readonly #abort = new AbortController();
  #trouble: string | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ChainViewOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#options.reporter.restore(await this.#options.journal.settlements());
    const { signal } = this.#abort;
    for (let pauseMs = this.#options.pollMs; !signal.aborted; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      try {
        await this.#follow();
      } catch (error) {
        if (isAborted(signal)) return;
        this.#tell(error);
        if (error instanceof ChainError && error.code === 'DEEP_REORG') await this.#startOver();
      }
      await pause(pauseMs, signal);
    }
  }

  async #follow(): Promise<void> {
    const { connection, reporter, journal, chainId } = this.#options;
    const { provider } = await connection.open();
    const cursor = await journal.cursor();
    const { genesisHash } = cursor ?? (await chainFingerprint(provider));
    await followChannels({
      provider,
      address: this.#options.address,
      fromBlock: cursor ? cursor.blockNumber + 1 : this.#options.fromBlock,
      confirmations: this.#options.confirmations,
      pollMs: this.#options.pollMs,
      maxBlockRange: MAX_BLOCK_RANGE,
      chain: { chainId, genesisHash },
      anchor: cursor ? { blockNumber: cursor.blockNumber, blockHash: cursor.blockHash } : undefined,
      signal: this.#abort.signal,
      onTrouble: (error) => this.#tell(error),
      onBatch: async (events, _, anchor) => {
        const { deposits, settled } = await reporter.report(events, anchor.blockNumber);
        await journal.saveProgress({ cursor: { ...anchor, genesisHash }, deposits, settled });
        this.#recovered();
      },
    });
  }

  /** The chain undid what was believed: what is gone stops new payments, then all is read again. */
  async #startOver(): Promise<void> {
    const { connection, reporter, journal } = this.#options;
    try {
      const { channels } = await connection.open();
      await reporter.depositsNow((channelId) => channels.channel(channelId));
      await journal.forgetCursor();
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const code = codeOf(error) ?? 'UNEXPECTED';
    if (this.#trouble === code) return;
    this.#trouble = code;
    this.#options.onTrouble({ code, message: messageOf(error) });
  }

  #recovered(): void {
    if (this.#trouble === null) return;
    this.#trouble = null;
    this.#options.onRecovered();
  }
}

/** Not inlined: control flow analysis does not know that a signal changes while we wait. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
