/**
 * Follows the contract's events: in order, each exactly once per run, only when `confirmations` deep.
 *
 * Invariants: `onBatch` gets the events of the blocks from one cursor up to the next, and the following batch begins
 * where this one ended; a caller that stores cursor and events together misses nothing and repeats nothing after a
 * restart (PROTOCOL.md sections 3 and 5: reads are at `confirmations` depth). Trouble with the RPC is reported and
 * waited out. What waiting cannot mend ends the run: another chain under the same address, or a reorganisation deeper
 * than `confirmations`, which would make events undone that were handed over.
 */

import type { Block, Provider } from 'ethers';
import { type Address, type Bytes32, bytes32 } from '../enclave/core/ids.ts';
import { ChainError, translateError } from './errors.ts';
import { type ChannelEvent, decodeEvent } from './events.ts';
import { type ChainFingerprint, chainFingerprint } from './rpc.ts';

/** The last block that was handed over: a run that begins after it can tell whether the chain still has it. */
export interface ChainAnchor {
  blockNumber: number;
  blockHash: Bytes32;
}

export interface FollowOptions {
  provider: Provider;
  address: Address;
  /** The first block to read: the contract's own at first, later the cursor that was stored. */
  fromBlock: number;
  /** An event in the newest block has one confirmation; 0 means the same as 1. */
  confirmations: number;
  pollMs: number;
  /** Blocks in one request and in one batch, at most. Fewer are asked for where the RPC refuses so many. */
  maxBlockRange: number;
  /**
   * Awaited before anything else is read; an error from it ends the run. `cursor` is the next block to read, `anchor`
   * the block before it. Called without events too, whenever the cursor moves.
   */
  onBatch: (events: ChannelEvent[], cursor: number, anchor: ChainAnchor) => void | Promise<void>;
  /** Every failed attempt; the next one follows after a pause that doubles up to a bound. */
  onTrouble: (error: Error) => void;
  /** Ends the run. */
  signal: AbortSignal;
  /** Chain that was followed until now, from `chainFingerprint`; undefined: whichever answers first. */
  chain?: ChainFingerprint | undefined;
  /** Of the batch that ended at `fromBlock`. */
  anchor?: ChainAnchor | undefined;
}

const MAX_PAUSE_MS = 30_000;
/** Chunks that must be served before twice as many blocks are asked for again. */
const CHUNKS_UNTIL_LARGER = 16;
const REQUEST_MS = 60_000;

/**
 * @returns when `signal` aborts
 * @throws ChainError WRONG_CHAIN, DEEP_REORG; and what `onBatch` throws
 */
export async function followChannels(options: FollowOptions): Promise<void> {
  const { signal } = options;
  const range = new BlockRange(options.maxBlockRange);
  let shrunk = false;
  let { fromBlock: cursor, anchor, chain } = options;
  let pauseMs = options.pollMs;
  let asked = false;
  while (!signal.aborted) {
    let chunk: Chunk | undefined;
    try {
      // Asked at the start and after trouble; a chain exchanged without either fails the check of the anchor.
      if (!asked) chain = sameChain(chain, await bounded(chainFingerprint(options.provider)));
      chunk = await bounded(readChunk(options, { cursor, anchor, range: range.blocks }));
      asked = true;
      pauseMs = options.pollMs;
      if (chunk) range.served();
    } catch (error) {
      const code = error instanceof ChainError ? error.code : undefined;
      // A chain that is another altogether says so in the next attempt, when its fingerprint was asked first.
      if (code === 'WRONG_CHAIN' || (code === 'DEEP_REORG' && !asked)) throw error;
      if (!isAborted(signal)) options.onTrouble(translateError(error));
      asked = false;
      shrunk = error instanceof LogsRefused && range.refused();
      // With fewer blocks the next attempt is another question: no reason to wait longer for it.
      pauseMs = shrunk ? options.pollMs : Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
    if (isAborted(signal)) return;
    if (chunk) {
      await options.onBatch(chunk.events, chunk.anchor.blockNumber + 1, chunk.anchor);
      anchor = chunk.anchor;
      cursor = chunk.anchor.blockNumber + 1;
    }
    if (!chunk?.more) await sleep(pauseMs, signal);
  }
}

/** Not inlined: control flow analysis does not know that a signal changes while we wait. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

interface Chunk {
  events: ChannelEvent[];
  anchor: ChainAnchor;
  /** Whether more blocks are deep enough already. */
  more: boolean;
}

/**
 * The next blocks that are deep enough; nothing where there are none.
 *
 * The last block is asked for before and after its logs, so that the logs are known to be of the chain that the anchor
 * names: an RPC may serve requests from several nodes, and a chain may change in between.
 */
async function readChunk(
  options: FollowOptions,
  from: { cursor: number; anchor: ChainAnchor | undefined; range: number },
): Promise<Chunk | undefined> {
  const { provider, address } = options;
  await requireAnchor(provider, from.anchor);
  const head = await provider.getBlockNumber();
  const deepest = head - Math.max(options.confirmations, 1) + 1;
  const toBlock = Math.min(deepest, from.cursor + from.range - 1);
  if (toBlock < from.cursor) return undefined;

  const before = hashOf(await provider.getBlock(toBlock), toBlock);
  const logs = await provider.getLogs({ address, fromBlock: from.cursor, toBlock }).catch(refusedLogs);
  const after = hashOf(await provider.getBlock(toBlock), toBlock);
  const torn = logs.some((log) => log.removed || (log.blockNumber === toBlock && bytes32(log.blockHash) !== after));
  if (before !== after || torn) {
    throw new ChainError('RPC_REFUSED', `The chain changed at block ${toBlock} while it was read; reading it again.`);
  }
  await requireAnchor(provider, from.anchor);
  const ordered = [...logs].sort((left, right) => left.blockNumber - right.blockNumber || left.index - right.index);
  const anchor = { blockNumber: toBlock, blockHash: after };
  return { events: ordered.map(decodeEvent), anchor, more: toBlock < deepest };
}

/**
 * RPCs bound how many blocks or logs they serve at once, each by its own rule and in its own words. So any
 * refusal of logs halves the range, and after a while of peace it doubles again: nobody has to know the bound.
 */
class BlockRange {
  readonly #most: number;
  #blocks: number;
  #served = 0;

  constructor(most: number) {
    if (!(most >= 1)) throw new RangeError('maxBlockRange must be at least one block');
    this.#most = most;
    this.#blocks = most;
  }

  get blocks(): number {
    return this.#blocks;
  }

  served(): void {
    this.#served += 1;
    if (this.#served < CHUNKS_UNTIL_LARGER) return;
    this.#served = 0;
    this.#blocks = Math.min(this.#blocks * 2, this.#most);
  }

  /** @returns whether fewer blocks can be asked for */
  refused(): boolean {
    this.#served = 0;
    if (this.#blocks === 1) return false;
    this.#blocks = Math.floor(this.#blocks / 2);
    return true;
  }
}

/** The RPC has just answered other questions, but not this one: by a refusal, or by taking too long. */
class LogsRefused extends ChainError {}

function refusedLogs(error: unknown): never {
  const translated = translateError(error);
  if (!(translated instanceof ChainError)) throw translated;
  throw new LogsRefused(translated.code, `${translated.message} Fewer blocks are asked for next.`, error);
}

/** A chain that is still behind the anchor is only late: its RPC may be catching up. */
async function requireAnchor(provider: Provider, anchor: ChainAnchor | undefined): Promise<void> {
  if (!anchor) return;
  const block = await provider.getBlock(anchor.blockNumber);
  if (hashOf(block, anchor.blockNumber) === anchor.blockHash) return;
  throw new ChainError(
    'DEEP_REORG',
    `Block ${anchor.blockNumber} was ${anchor.blockHash} when its events were taken in, and is another now: the chain was reorganised deeper than the confirmations that are configured. Stop, compare with a second RPC, and read again from the contract's first block.`,
  );
}

function hashOf(block: Block | null, number: number): Bytes32 {
  if (block?.hash) return bytes32(block.hash);
  throw new ChainError('RPC_REFUSED', `The RPC does not have block ${number}: it lags behind what it served before.`);
}

function sameChain(expected: ChainFingerprint | undefined, found: ChainFingerprint): ChainFingerprint {
  if (!expected) return found;
  if (expected.chainId === found.chainId && expected.genesisHash === found.genesisHash) return expected;
  throw new ChainError(
    'WRONG_CHAIN',
    `The RPC serves another chain than the one followed until now (chain ${found.chainId}, genesis ${found.genesisHash}, before: chain ${expected.chainId}, genesis ${expected.genesisHash}). Change the RPC's address, or begin with empty state if the old chain is gone.`,
  );
}

/** A request that never ends must not stop the follower. */
async function bounded<Value>(work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ChainError('RPC_UNREACHABLE', `The chain's RPC did not answer within ${REQUEST_MS / 1000} s.`)),
      REQUEST_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
