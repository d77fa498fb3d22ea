/**
 * What the enclave is told of the chain: confirmed deposits of peers, settled channels, recorded outcomes
 * (PROTOCOL.md section 3, "Deposit credit", and section 5, "Without leaving").
 *
 * Everything reported was read at `confirmations` depth. Reporting twice is harmless; what the enclave refuses is told
 * and not tried again, what could not be read is tried with the next batch.
 */

import type { ChannelEvent as OnChainEvent } from '../../contracts/events.ts';
import { otherSide } from '../../enclave/core/channel-identity.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import type { ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { ChannelView, PaymentView } from '../../enclave/core/interface.ts';
import type { EnclavePort } from '../enclave-port.ts';
import type { ReportedDeposit } from '../journal/journal.ts';
import { codeOf, messageOf } from '../refusal.ts';

export interface ReporterPorts {
  enclave: EnclavePort;
  relay(to: Identity, messages: readonly Uint8Array[]): void;
  /** As of this block. */
  outcomeAt(paymentId: PaymentId, blockNumber: number): Promise<Outcome | null>;
  /** Unix seconds. */
  nowS(): number;
  onDeposit(deposit: { channelId: ChannelId; own: boolean; total: bigint }): void;
  onSettled(settled: { channelId: ChannelId; creditA: bigint; creditB: bigint }): void;
  /** The enclave consented, or took the channel for settled: payments may be resolved. */
  onResolved(): Promise<void>;
  onRefused(refusal: { code: string; message: string }): void;
}

/** Expired payments asked for in one batch. */
const MAX_ASKED = 64;

export class ChainReporter {
  readonly #ports: ReporterPorts;
  /** Settled on chain; the enclave follows when it can be told the outcome of all that was pending there. */
  readonly #settled = new Set<ChannelId>();

  constructor(ports: ReporterPorts) {
    this.#ports = ports;
  }

  /** Settled channels that an earlier run saw. */
  restore(settled: readonly ChannelId[]): void {
    for (const channelId of settled) this.#settled.add(channelId);
  }

  /** @returns what is worth storing with the cursor: deposits and settlements of this terminal's channels */
  async report(
    events: readonly OnChainEvent[],
    blockNumber: number,
  ): Promise<{ deposits: ReportedDeposit[]; settled: ChannelId[] }> {
    const { channels } = await this.#ports.enclave.run({ kind: 'listChannels' });
    const known = new Map(channels.map((channel) => [channel.channelId, channel]));
    const deposits = latestDeposits(events).filter((deposit) => known.has(deposit.channelId));
    for (const deposit of deposits) {
      const channel = known.get(deposit.channelId);
      if (channel) await this.#deposit(channel, deposit);
    }
    const settled: ChannelId[] = [];
    for (const event of events) {
      if (event.kind !== 'settled' || !known.has(event.channelId)) continue;
      settled.push(event.channelId);
      this.#settled.add(event.channelId);
      this.#ports.onSettled(event);
    }
    await this.#resolve({ channels: known, events, blockNumber });
    return { deposits, settled };
  }

  async #deposit(channel: ChannelView, deposit: ReportedDeposit): Promise<void> {
    const { channelId, total } = deposit;
    const own = deposit.side === channel.side;
    this.#ports.onDeposit({ channelId, own, total });
    const isNews = total > channel.peerDeposit || (channel.suspended && total === channel.peerDeposit);
    if (own || !isNews || channel.settled || channel.exitSigned) return;
    await this.#guarded(async () => {
      const { messages } = await this.#ports.enclave.run({ kind: 'confirmDeposit', channelId, total });
      this.#ports.relay(channel.peer, messages);
    });
  }

  /** A reorganisation took deposits back: tells the enclave what is still there, so that it stops new payments. */
  async depositsNow(read: (channelId: ChannelId) => Promise<{ depositA: bigint; depositB: bigint }>): Promise<void> {
    const { channels } = await this.#ports.enclave.run({ kind: 'listChannels' });
    for (const channel of channels) {
      if (channel.settled || channel.exitSigned || channel.peerDeposit === 0n) continue;
      const { channelId } = channel;
      const now = await read(channelId);
      const total = otherSide(channel.side) === 'A' ? now.depositA : now.depositB;
      if (total >= channel.peerDeposit) continue;
      await this.#guarded(async () => {
        await this.#ports.enclave.run({ kind: 'confirmDeposit', channelId, total });
      });
    }
  }

  async #resolve(batch: {
    channels: ReadonlyMap<ChannelId, ChannelView>;
    events: readonly OnChainEvent[];
    blockNumber: number;
  }): Promise<void> {
    const { channels, events, blockNumber } = batch;
    const { payments } = await this.#ports.enclave.run({ kind: 'listPayments' });
    const outcomes = await this.#outcomes(payments, { events, blockNumber });
    let changed = false;
    for (const payment of payments) {
      const outcome = outcomes.get(payment.paymentId);
      if (!outcome) continue;
      for (const transfer of payment.transfers) {
        const channel = channels.get(transfer.channelId);
        const asked = transfer.resolved === null && transfer.outgoing === (outcome === 'APPLIED');
        if (!asked || !channel || channel.exitSigned || channel.settled || this.#settled.has(channel.channelId))
          continue;
        changed = (await this.#consent(channel, { paymentId: payment.paymentId, outcome })) || changed;
      }
    }
    for (const channelId of this.#settled) {
      const channel = channels.get(channelId);
      if (!channel || channel.settled) this.#settled.delete(channelId);
      else changed = (await this.#settle(channelId, payments, outcomes)) || changed;
    }
    if (changed) await this.#ports.onResolved();
  }

  /** Outcomes of pending payments: from this batch's events, and read where there may be one that was never seen. */
  async #outcomes(
    payments: readonly PaymentView[],
    batch: { events: readonly OnChainEvent[]; blockNumber: number },
  ): Promise<Map<PaymentId, Outcome>> {
    const outcomes = new Map<PaymentId, Outcome>();
    for (const event of batch.events) if (event.kind === 'outcome') outcomes.set(event.paymentId, event.outcome);
    const nowS = this.#ports.nowS();
    const open = payments.filter((payment) => !outcomes.has(payment.paymentId));
    const onSettled = open.filter((payment) => payment.transfers.some((each) => this.#settled.has(each.channelId)));
    const expired = open.filter((payment) => payment.expiry < nowS).slice(0, MAX_ASKED);
    for (const { paymentId } of new Set([...onSettled, ...expired])) {
      const outcome = await this.#ports.outcomeAt(paymentId, batch.blockNumber);
      if (outcome) outcomes.set(paymentId, outcome);
    }
    return outcomes;
  }

  #consent(channel: ChannelView, about: { paymentId: PaymentId; outcome: Outcome }): Promise<boolean> {
    const { channelId, peer } = channel;
    return this.#guarded(async () => {
      const { messages } = await this.#ports.enclave.run({ kind: 'consent', channelId, ...about });
      this.#ports.relay(peer, messages);
    });
  }

  async #settle(
    channelId: ChannelId,
    payments: readonly PaymentView[],
    outcomes: ReadonlyMap<PaymentId, Outcome>,
  ): Promise<boolean> {
    const pending = payments.filter((payment) =>
      payment.transfers.some((each) => each.channelId === channelId && each.resolved === null),
    );
    const known = pending.flatMap(({ paymentId }) => {
      const outcome = outcomes.get(paymentId);
      return outcome ? [{ paymentId, outcome }] : [];
    });
    // One without an outcome was not in the exit; it is still to be recorded, by this terminal or another.
    if (known.length < pending.length) return false;
    return this.#guarded(async () => {
      await this.#ports.enclave.run({ kind: 'settled', channelId, outcomes: known });
      this.#settled.delete(channelId);
    });
  }

  /** @returns whether the enclave did it */
  async #guarded(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === null || code === 'STOPPED' || code === 'VAULT_FAILED') throw error;
      this.#ports.onRefused({ code, message: messageOf(error) });
      return false;
    }
  }
}

/** Totals only grow along the chain: the last one of each side counts. */
function latestDeposits(events: readonly OnChainEvent[]): ReportedDeposit[] {
  const latest = new Map<string, ReportedDeposit>();
  for (const event of events) {
    if (event.kind !== 'deposited') continue;
    const { channelId, side, total } = event;
    latest.set(`${channelId} ${side}`, { channelId, side, total });
  }
  return [...latest.values()];
}
