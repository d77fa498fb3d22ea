/** The real loop and port over a store in memory: a hub without a chain, for tests of the network side. */

import type { ChannelId, Identity } from '../../enclave/core/ids.ts';
import { bytes16, NATIVE, ZERO_32 } from '../../enclave/core/ids.ts';
import type { Order } from '../../enclave/core/order.ts';
import { defaultLimits } from '../core/limits.ts';
import { defaultSettings, newState } from '../core/state.ts';
import { Loop } from '../loop.ts';
import { HubServer, type ServerOptions } from '../net/server.ts';
import { MemoryStore } from '../store/memory.ts';
import { policy } from './hello.ts';
import { bytesNumber, channelNumber } from './names.ts';
import { deployment } from './network.ts';
import { SocketTerminal } from './socket-terminal.ts';

export class TestHub {
  readonly state = newState(deployment, defaultSettings, Date.now());
  readonly store = new MemoryStore();
  readonly failures: Error[] = [];
  readonly server: HubServer;
  readonly loop: Loop = new Loop({
    state: this.state,
    store: this.store,
    now: () => Date.now(),
    carry: (effect) => {
      if (effect.kind === 'send') this.server.send(effect.session, effect.message);
      if (effect.kind === 'close') this.server.refuse(effect.session, effect);
    },
    turned: () => this.server.flush(),
    pressed: (isPressed) => this.server.pause(isPressed),
    failed: (error) => this.failures.push(error),
  });
  url = '';
  #orders = 0;

  private constructor(over: Partial<ServerOptions>) {
    this.server = new HubServer({
      gate: { deployment, policy },
      heartbeatMs: defaultSettings.heartbeatMs,
      publicNames: [],
      limits: defaultLimits,
      request: (_request, response) => response.end(),
      event: (event) => this.loop.push(event),
      ...over,
    });
  }

  static async start(over: Partial<ServerOptions> = {}): Promise<TestHub> {
    const hub = new TestHub(over);
    hub.url = `http://127.0.0.1:${await hub.server.listen('127.0.0.1', 0)}`;
    return hub;
  }

  async stop(): Promise<void> {
    await this.server.close();
    await this.loop.stop();
  }

  /** Two connected terminals with a channel that is full on both sides. */
  async pair(): Promise<[SocketTerminal, SocketTerminal]> {
    const [payer, payee] = [new SocketTerminal(1, deployment), new SocketTerminal(2, deployment)];
    const channelId = await this.open(payer.keys.identity, payee.keys.identity);
    for (const terminal of [payer, payee]) {
      terminal.fake.balances.set(channelId, 1_000_000n);
      await terminal.connect(this.url);
    }
    return [payer, payee];
  }

  async open(partyA: Identity, partyB: Identity): Promise<ChannelId> {
    const channelId = channelNumber(1);
    const salt = bytes16(`0x${'00'.repeat(16)}`);
    const identity = { partyA, partyB, payoutA: partyA, payoutB: partyB, token: NATIVE, challengePeriod: 0, salt };
    await this.loop.taken({
      kind: 'chain',
      cursor: { nextBlock: 1, anchor: null },
      events: [
        { kind: 'opened', channelId, identity },
        { kind: 'deposited', channelId, side: 'A', total: 1_000_000n },
        { kind: 'deposited', channelId, side: 'B', total: 1_000_000n },
      ],
    });
    return channelId;
  }

  /** Orders a payment and waits for its end. @returns the last state */
  async pay(payer: SocketTerminal, payee: SocketTerminal): Promise<string> {
    const order: Order = {
      orderId: bytesNumber(0x5000 + this.#orders++),
      payer: payer.keys.identity,
      payee: payee.keys.identity,
      token: NATIVE,
      amount: 1n,
      maxFee: 0n,
      invoice: ZERO_32,
      expiry: Math.floor(Date.now() / 1000) + 60,
    };
    const { socket } = payer;
    if (!socket) throw new Error('the payer is not connected');
    socket.send({ kind: 'order', order });
    return socket.until(() => {
      for (const message of socket.heard)
        if (message.kind === 'orderUpdate' && message.orderId === order.orderId && isEnd(message.state))
          return `${message.state} ${message.code}`.trim();
      return null;
    });
  }
}

const isEnd = (state: string): boolean => state === 'complete' || state === 'failed';
