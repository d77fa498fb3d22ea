/**
 * An owner's dealings with channels: open, deposit, leave, withdraw, and what there is (PROTOCOL.md section 3).
 *
 * Invariant: no money is sent to a channel before both enclaves agreed to its whole identity, and none counts before
 * the peer's enclave confirmed it.
 */

import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import { hashChannelIdentity, type Outcome } from '../enclave/core/encoding.ts';
import {
  type Address,
  type Bytes16,
  type Bytes32,
  bytes32,
  type ChannelId,
  type Identity,
  NATIVE,
  type PaymentId,
  ZERO_32,
} from '../enclave/core/ids.ts';
import type { ChannelView, SignedExit } from '../enclave/core/interface.ts';
import { MAX_AMOUNT } from '../enclave/core/limits.ts';
import type { ChainConnection } from './chain/connection.ts';
import { costOf, EJECT_GAS, EJECT_PENDING_GAS, RECORD_GAS } from './chain/cost.ts';
import type { EnclavePort } from './enclave-port.ts';
import { receivableOn } from './liquidity.ts';
import { asRefusal, codeOf, TerminalRefusal } from './refusal.ts';
import type { Session } from './session.ts';
import type { ChainCost, ChannelEvent, OpenChannelRequest, OpenPhase, TokenBalance } from './terminal-types.ts';
import { within } from './waiting.ts';

export interface ChannelsPorts {
  enclave: EnclavePort;
  session: Session;
  chain: ChainConnection;
  deployment: Deployment;
  identity: Identity;
  payout: Address;
  peerWaitMs: number;
  hubWaitMs: number;
  /** Resolves when the hub can be spoken to; rejects with HUB_UNREACHABLE. */
  online(): Promise<void>;
  /** The first channel event from now on for which `isIt` holds; gives up when `signal` aborts. */
  nextEvent(isIt: (event: ChannelEvent) => boolean, signal: AbortSignal): Promise<ChannelEvent>;
  randomSalt(): Bytes16;
}

export class Channels {
  readonly #ports: ChannelsPorts;

  constructor(ports: ChannelsPorts) {
    this.#ports = ports;
  }

  /** @throws TerminalRefusal AMOUNT_OUT_OF_RANGE, HUB_UNREACHABLE, UNKNOWN_PEER, PEER_OFFLINE, PEER_SILENT, and the chain's */
  async open(request: OpenChannelRequest): Promise<{ channelId: ChannelId; transactionHash: Bytes32 }> {
    requireAmount(request.deposit, 'A first deposit');
    await this.#ports.online();
    const { channels } = await chained(this.#ports.chain.open());
    const known: { channelId: ChannelId | null; transactionHash: Bytes32 | null } = {
      channelId: null,
      transactionHash: null,
    };
    const tell = (phase: OpenPhase, more: Partial<typeof known> = {}): void => {
      request.onPhase?.(phase, Object.assign(known, more));
    };
    const channel = await this.#identityFor(request);
    tell('lookup');
    const channelId = hashChannelIdentity(this.#ports.deployment.domain, channel);
    await this.#agree(request.peer, channel, () => tell('proposed', { channelId }));
    tell('agreed');
    const transactionHash = await this.#fund(
      { channelId, side: 'A', target: request.deposit, peer: request.peer },
      async () => {
        tell('transaction');
        const sent = await channels.open({ identity: channel, side: 'A', amount: request.deposit });
        tell('mined', { transactionHash: bytes32(sent.transactionHash) });
        return bytes32(sent.transactionHash);
      },
    );
    tell('confirmed');
    return { channelId, transactionHash };
  }

  /** @throws TerminalRefusal AMOUNT_OUT_OF_RANGE, CHANNEL_UNKNOWN, CHANNEL_CLOSING, PEER_SILENT, and the chain's */
  async deposit(request: {
    channelId: ChannelId;
    amount: bigint;
  }): Promise<{ transactionHash: Bytes32; total: bigint }> {
    requireAmount(request.amount, 'A deposit');
    const { channelId } = request;
    const view = await this.view(channelId);
    if (view.settled || view.exitSigned) {
      throw new TerminalRefusal({
        code: 'CHANNEL_CLOSING',
        message: `The channel ${channelId} is being closed or is closed; nothing was deposited. Open another one.`,
      });
    }
    const { channels } = await chained(this.#ports.chain.open());
    const before = await chained(channels.channel(channelId));
    const { side, peer } = view;
    const target = (side === 'A' ? before.depositA : before.depositB) + request.amount;
    const transactionHash = await this.#fund({ channelId, side, target, peer }, async () => {
      const sent = await channels.deposit({ identity: view.channel, side, amount: request.amount });
      return bytes32(sent.transactionHash);
    });
    return { transactionHash, total: target };
  }

  /** Ends a channel with nothing pending by one transaction. @throws TerminalRefusal PAYMENTS_PENDING, and the chain's */
  async close(channelId: ChannelId): Promise<{ transactionHash: Bytes32; creditA: bigint; creditB: bigint }> {
    await this.view(channelId);
    await chained(this.#ports.chain.open());
    const { exit } = await this.#ports.enclave.run({ kind: 'close', channelId });
    return this.#leave(exit);
  }

  /** Leaves a channel whatever is pending on it: the contract settles that too. */
  async eject(channelId: ChannelId): Promise<{ transactionHash: Bytes32; creditA: bigint; creditB: bigint }> {
    const { channel } = await this.view(channelId);
    await chained(this.#ports.chain.open());
    const { exit } = await this.#ports.enclave.run({ kind: 'exit', channel });
    return this.#leave(exit);
  }

  /** @throws TerminalRefusal UNKNOWN_PAYMENT, and the chain's */
  async record(paymentId: PaymentId): Promise<{ transactionHash: Bytes32; outcome: Outcome }> {
    const { channels } = await chained(this.#ports.chain.open());
    const { record } = await this.#ports.enclave.run({ kind: 'record', paymentId });
    const { channel: identity, outcome, signature, ...payment } = record;
    const sent = await chained(channels.record({ identity, payment, outcome, signature }));
    return { transactionHash: bytes32(sent.transactionHash), outcome };
  }

  /** The payout address's whole credit, or null where there is none. */
  async withdraw(token: Address): Promise<{ amount: bigint; transactionHash: Bytes32 } | null> {
    const { channels } = await chained(this.#ports.chain.open());
    const account = this.#ports.payout;
    const amount = await chained(channels.credit({ account, token }));
    if (amount === 0n) return null;
    const sent = await chained(channels.withdraw({ account, token }));
    return { amount, transactionHash: bytes32(sent.transactionHash) };
  }

  /** What peers have on their sides, and is not on its way already. */
  async receivable(token: Address): Promise<bigint> {
    const views = (await this.list()).filter((view) => isInUse(view) && view.channel.token === token);
    return views.reduce((sum, view) => sum + receivableOn(view), 0n);
  }

  async ejectCost(channelId: ChannelId): Promise<ChainCost> {
    const { pendingCount } = await this.view(channelId);
    const { provider } = await chained(this.#ports.chain.open());
    return chained(costOf(provider, EJECT_GAS + EJECT_PENDING_GAS * BigInt(pendingCount)));
  }

  async recordCost(): Promise<ChainCost> {
    const { provider } = await chained(this.#ports.chain.open());
    return chained(costOf(provider, RECORD_GAS));
  }

  async list(): Promise<ChannelView[]> {
    return (await this.#ports.enclave.run({ kind: 'listChannels' })).channels;
  }

  /** @throws TerminalRefusal CHANNEL_UNKNOWN */
  async view(channelId: ChannelId): Promise<ChannelView> {
    const view = (await this.list()).find((each) => each.channelId === channelId);
    if (view) return view;
    throw new TerminalRefusal({
      code: 'CHANNEL_UNKNOWN',
      message: `This terminal has no channel ${channelId}. Look at its list of channels.`,
    });
  }

  /** One entry per token, the native coin first. */
  async balances(): Promise<TokenBalance[]> {
    const views = (await this.list()).filter(isInUse);
    const tokens = [...new Set([NATIVE, ...views.map((view) => view.channel.token)])];
    return Promise.all(
      tokens.map(async (token) => {
        const own = views.filter((view) => view.channel.token === token);
        const sum = (of: (view: ChannelView) => bigint): bigint => own.reduce((total, view) => total + of(view), 0n);
        return {
          token,
          spendable: sum((view) => (view.agreed && !view.suspended ? view.spendable : 0n)),
          receivable: sum(receivableOn),
          pendingOut: sum((view) => view.pendingOut),
          pendingIn: sum((view) => view.pendingIn),
          ...(await this.#onChain(token)),
        };
      }),
    );
  }

  async #onChain(token: Address): Promise<Pick<TokenBalance, 'withdrawable' | 'onChain'>> {
    try {
      const { channels } = await this.#ports.chain.open();
      const account = this.#ports.payout;
      const [withdrawable, onChain] = await Promise.all([
        channels.credit({ account, token }),
        this.#ports.chain.onChain(token),
      ]);
      return { withdrawable, onChain };
    } catch {
      return { withdrawable: null, onChain: null };
    }
  }

  /** This terminal is side A of what it proposes. */
  async #identityFor(request: OpenChannelRequest): Promise<ChannelIdentity> {
    const { session, hubWaitMs, identity } = this.#ports;
    const found = await within(session.lookup(request.peer), { ms: hubWaitMs, late: hubSilent });
    if (!found.online) throw offline(request.peer);
    let partyA: Address = identity;
    if (request.virtual) {
      partyA = (await this.#ports.enclave.run({ kind: 'deriveAddress' })).address;
      await session.announce();
    }
    return {
      partyA,
      partyB: found.credential.identity,
      payoutA: this.#ports.payout,
      payoutB: found.profile.payout,
      token: request.token ?? NATIVE,
      challengePeriod: request.challengePeriod ?? 0,
      salt: this.#ports.randomSalt(),
    };
  }

  async #agree(peer: Identity, channel: ChannelIdentity, proposed: () => void): Promise<void> {
    const channelId = hashChannelIdentity(this.#ports.deployment.domain, channel);
    await this.#awaitEvent(
      (event) => event.kind === 'agreed' && event.channelId === channelId,
      async () => {
        await this.#ports.session.propose({ peer, channel, side: 'A' });
        proposed();
      },
      () =>
        new TerminalRefusal({
          code: 'PEER_SILENT',
          message: `The terminal ${peer} did not agree to the channel: it went away, or its owner does not take such a channel. Nothing was sent; ask its owner, or open a channel with another terminal.`,
        }),
    );
  }

  /** Sends the money and waits until the peer's enclave has confirmed this side's total. */
  async #fund(
    about: { channelId: ChannelId; side: Side; target: bigint; peer: Identity },
    send: () => Promise<Bytes32>,
  ): Promise<Bytes32> {
    const { channelId, target } = about;
    const sent: { hash: Bytes32 } = { hash: ZERO_32 };
    await this.#awaitEvent(
      (event) => event.kind === 'confirmed' && event.channelId === channelId && event.total >= target,
      async () => {
        sent.hash = await chained(send());
      },
      () =>
        new TerminalRefusal({
          code: 'PEER_SILENT',
          message: `The deposit is on chain (transaction ${sent.hash}), but the terminal ${about.peer} has not confirmed it yet. It counts as soon as it does; nothing is lost, and nothing needs to be sent again.`,
          facts: { channelId, transactionHash: sent.hash },
        }),
    );
    return sent.hash;
  }

  /** Listens before it acts, so that an event that comes early is not missed. */
  async #awaitEvent(
    isIt: (event: ChannelEvent) => boolean,
    act: () => Promise<void>,
    late: () => TerminalRefusal,
  ): Promise<void> {
    const giveUp = new AbortController();
    const event = this.#ports.nextEvent(isIt, giveUp.signal);
    event.catch(() => undefined);
    try {
      await act();
      await within(event, { ms: this.#ports.peerWaitMs, late });
    } finally {
      giveUp.abort();
    }
  }

  async #leave(exit: SignedExit): Promise<{ transactionHash: Bytes32; creditA: bigint; creditB: bigint }> {
    const { channelId, channel: identity, sentA, sentB, stale, signature, pending } = exit;
    // The hub learns at once that nothing more can be sent here.
    await this.#ports.session.reportBalances([channelId]).catch(() => undefined);
    const { channels } = await chained(this.#ports.chain.open());
    const sent = await chained(
      pending.length === 0
        ? channels.close({ identity, sentA, sentB, signature })
        : channels.eject([{ identity, sentA, sentB, stale, pending, signature }]),
    );
    const events = await chained(this.#ports.chain.eventsOf(sent.transactionHash));
    const settled = events.find((event) => event.kind === 'settled' && event.channelId === channelId);
    if (settled?.kind !== 'settled') {
      throw new TerminalRefusal({
        code: 'ChannelSettled',
        message: `The channel ${channelId} was settled by its other party before. Withdraw the credit.`,
      });
    }
    const { creditA, creditB } = settled;
    return { transactionHash: bytes32(sent.transactionHash), creditA, creditB };
  }
}

const isInUse = (view: ChannelView): boolean => !view.settled && !view.exitSigned;

/** What the chain, or the way to it, refused: with its own code and words. */
async function chained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asRefusal(error, codeOf(error) === null ? 'CHAIN_UNREACHABLE' : 'TRANSACTION_FAILED');
  }
}

/** @throws TerminalRefusal AMOUNT_OUT_OF_RANGE */
export function requireAmount(amount: bigint, what: string): void {
  if (amount >= 1n && amount <= MAX_AMOUNT) return;
  throw new TerminalRefusal({
    code: 'AMOUNT_OUT_OF_RANGE',
    message: `${what} must be 1 to 2^128 - 1 base units, not ${amount}. Nothing was moved; give another amount.`,
  });
}

const hubSilent = (): TerminalRefusal =>
  new TerminalRefusal({
    code: 'HUB_UNREACHABLE',
    message: 'The hub did not answer in time. Nothing was moved; try again, or check the hub.',
  });

const offline = (peer: Identity): TerminalRefusal =>
  new TerminalRefusal({
    code: 'PEER_OFFLINE',
    message: `The terminal ${peer} is not connected to the hub now. Nothing was moved; try again when it is.`,
  });
