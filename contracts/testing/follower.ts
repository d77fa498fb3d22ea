/** A follower whose progress a test can wait for, without looking at a clock. */

import { ChainError } from '../errors.ts';
import type { ChannelEvent } from '../events.ts';
import { type ChainAnchor, type FollowOptions, followChannels } from '../follow.ts';

type Batch = { events: ChannelEvent[]; cursor: number; anchor: ChainAnchor };

export class TestFollower {
  readonly batches: Batch[] = [];
  readonly troubles: Error[] = [];
  /** Settles when the run ends. */
  readonly ended: Promise<void>;
  readonly #end = new AbortController();
  #waiting: { condition: () => boolean; resolve: () => void }[] = [];

  constructor(options: Pick<FollowOptions, 'provider' | 'address' | 'fromBlock'> & Partial<FollowOptions>) {
    this.ended = followChannels({
      confirmations: 1,
      pollMs: 5,
      maxBlockRange: 1_000,
      ...options,
      signal: this.#end.signal,
      onBatch: (events, cursor, anchor) => {
        this.batches.push({ events, cursor, anchor });
        this.#look();
      },
      onTrouble: (error) => {
        this.troubles.push(error);
        this.#look();
      },
    });
    // Whoever awaits `ended` sees its error; nobody has to.
    this.ended.catch(() => undefined);
  }

  get events(): ChannelEvent[] {
    return this.batches.flatMap((batch) => batch.events);
  }

  /** The next block to read. */
  get cursor(): number {
    return this.batches.at(-1)?.cursor ?? 0;
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ condition, resolve });
      this.#look();
    });
  }

  stop(): Promise<void> {
    this.#end.abort();
    return this.ended;
  }

  #look(): void {
    const met = this.#waiting.filter(({ condition }) => condition());
    this.#waiting = this.#waiting.filter((each) => !met.includes(each));
    for (const { resolve } of met) resolve();
  }
}

/** Code of the error that ended a run. */
export async function endedBy(follower: TestFollower): Promise<string> {
  const error: unknown = await follower.ended.catch((reason: unknown) => reason);
  return error instanceof ChainError ? error.code : String(error);
}
