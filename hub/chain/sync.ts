/**
 * Brings the contract's confirmed events into the core (seed patent 110, 140), from the stored cursor on.
 *
 * Invariant: events and the cursor behind them are committed together, so a restart misses none and repeats none.
 * An RPC that is down is waited out and told in GET /health; payments go on meanwhile.
 */

import type { Provider } from 'ethers';
import type { ChannelEvent } from '../../contracts/events.ts';
import { followChannels } from '../../contracts/follow.ts';
import type { ChainFingerprint } from '../../contracts/rpc.ts';
import type { Address } from '../../enclave/core/ids.ts';
import type { ChainEvent, HubEvent } from '../core/events.ts';
import type { ChainCursor } from '../core/records.ts';

export interface ChainSource {
  readonly provider: Provider;
  readonly contract: Address;
  readonly fingerprint: ChainFingerprint;
  /** Where to begin without a stored cursor: the contract's own block. */
  readonly fromBlock: number;
  readonly confirmations: number;
  readonly pollMs: number;
  readonly cursor: ChainCursor | null;
}

const MAX_BLOCK_RANGE = 2_000;

export class ChainSync {
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #trouble: string | null = null;

  /** @param take resolves when the event and what follows from it are committed */
  constructor(source: ChainSource, take: (event: HubEvent) => Promise<void>) {
    const { cursor } = source;
    this.#ended = followChannels({
      provider: source.provider,
      address: source.contract,
      fromBlock: cursor?.nextBlock ?? source.fromBlock,
      confirmations: source.confirmations,
      pollMs: source.pollMs,
      maxBlockRange: MAX_BLOCK_RANGE,
      chain: source.fingerprint,
      anchor: cursor?.anchor ?? undefined,
      signal: this.#abort.signal,
      onTrouble: (error) => {
        this.#trouble = error.message;
      },
      onBatch: async (events, nextBlock, anchor) => {
        await take({ kind: 'chain', events: events.flatMap(chainEvent), cursor: { nextBlock, anchor } });
        this.#trouble = null;
      },
    }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#trouble = `The chain is not followed any more: ${why}`;
    });
  }

  /** What keeps the chain from being read, in words, or null. */
  get trouble(): string | null {
    return this.#trouble;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }
}

/** What the hub wants to know of an event; withdrawals and exits under challenge are no business of it. */
function chainEvent(event: ChannelEvent): ChainEvent[] {
  switch (event.kind) {
    case 'opened':
      return [{ kind: 'opened', channelId: event.channelId, identity: event.identity }];
    case 'deposited':
      return [{ kind: 'deposited', channelId: event.channelId, side: event.side, total: event.total }];
    case 'settled': {
      const { channelId, creditA, creditB } = event;
      return [{ kind: 'settled', channelId, creditA, creditB }];
    }
    case 'outcome':
      return [{ kind: 'outcome', paymentId: event.paymentId, outcome: event.outcome }];
    // Nothing is settled yet; terminals report nothing to spend on a channel that is being left.
    case 'stale-exit':
    case 'withdrawn':
      return [];
  }
}
