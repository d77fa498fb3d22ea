/** A follower whose progress a test can wait for, without looking at a clock, and an RPC that serves few blocks. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonRpcProvider } from 'ethers';

import { ChainError } from '../errors.ts';
import type { ChannelEvent } from '../events.ts';
import { type ChainAnchor, type FollowOptions, followChannels } from '../follow.ts';
import { openRpc } from '../rpc.ts';

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

/** An RPC before `url` that refuses logs of more than `most` blocks. `asked`: of how many each request was. */
export async function strictRpc(
  url: string,
  most: number,
): Promise<{ provider: JsonRpcProvider; asked: number[]; close: () => void }> {
  const asked: number[] = [];
  const answer = async (text: string): Promise<string> => {
    const request = JSON.parse(text) as {
      id: number;
      method: string;
      params: [{ fromBlock: string; toBlock: string }];
    };
    if (request.method === 'eth_getLogs') {
      const [{ fromBlock, toBlock }] = request.params;
      const blocks = Number(toBlock) - Number(fromBlock) + 1;
      asked.push(blocks);
      if (blocks > most) {
        const error = { code: -32005, message: `at most ${most} blocks in one request` };
        return JSON.stringify({ jsonrpc: '2.0', id: request.id, error });
      }
    }
    const headers = { 'content-type': 'application/json' };
    return (await fetch(url, { method: 'POST', headers, body: text })).text();
  };
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => void answer(text).then((body) => response.end(body)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const provider = await openRpc({ url: `http://127.0.0.1:${port}` });
  return { provider, asked, close: () => void server.close() };
}
