/** Several enclaves in one process, a relay between them that loses nothing, and a driver that runs the round honestly. */

import { type ChannelIdentity, partyOf } from '../../enclave/core/channel-identity.ts';
import { domainSeparator, hashChannelIdentity, hashPayment } from '../../enclave/core/encoding.ts';
import {
  type Address,
  address,
  type Bytes16,
  type Bytes32,
  bytes16,
  type ChannelId,
  type Identity,
  NATIVE,
  ZERO_32,
} from '../../enclave/core/ids.ts';
import type { Command, Result } from '../../enclave/core/interface.ts';
import { type ForwardingPolicy, type OwnerPolicy, orderNonce } from '../../enclave/core/order.ts';
import { aggregate } from '../../enclave/core/pair.ts';
import type { PaymentTerms, Transfer } from '../../enclave/core/payment-terms.ts';
import type { StepAnswer } from '../../enclave/core/round-messages.ts';
import { MemoryPlatform } from './memory-platform.ts';
import { SimulatedEnclave } from './simulated-enclave.ts';

export const CHAIN_ID = 31_337n;
export const CONTRACT = address(`0x${'c0'.repeat(20)}`);
export const DOMAIN = domainSeparator(CHAIN_ID, CONTRACT);

export const FORWARD_FREELY: ForwardingPolicy = {
  token: NATIVE,
  minAmount: 1n,
  maxAmount: 2n ** 100n,
  feeBase: 0n,
  feePpm: 0,
  maxPendingPerPeer: 100,
  maxPendingPerPayer: 100,
};

export const EVERYTHING: OwnerPolicy = {
  forwarding: [FORWARD_FREELY],
  acceptAnything: true,
  prepareLast: false,
  maxPending: 100,
};

export interface Hop {
  channelId: ChannelId;
  channel: ChannelIdentity;
}

export class SimulatedNetwork {
  readonly terminals: SimulatedEnclave[] = [];
  readonly identities: Identity[] = [];
  readonly platform = new MemoryPlatform(new Uint8Array(32).fill(7));
  #salt = 0;

  /** `count` terminals that know each other. */
  static async of(count: number, policy: OwnerPolicy = EVERYTHING): Promise<SimulatedNetwork> {
    const network = new SimulatedNetwork();
    for (let index = 0; index < count; index++) await network.add(policy);
    await network.introduceAll();
    return network;
  }

  async add(policy: OwnerPolicy = EVERYTHING, platform = this.platform): Promise<SimulatedEnclave> {
    const attestation = {
      authorities: [this.platform.authority],
      measurements: [this.platform.measurement],
      acceptEmulated: true,
    };
    const label = `terminal ${this.terminals.length}`;
    const terminal = await SimulatedEnclave.create({
      label,
      platform,
      chainId: CHAIN_ID,
      contract: CONTRACT,
      policy,
      attestation,
    });
    this.terminals.push(terminal);
    this.identities.push(await terminal.identity());
    return terminal;
  }

  async introduceAll(): Promise<void> {
    const introductions = await Promise.all(this.terminals.map((terminal) => terminal.introduction()));
    for (const terminal of this.terminals) {
      await terminal.frame(introductions.map((each) => ({ kind: 'introduce', ...each })));
    }
  }

  at(index: number): { terminal: SimulatedEnclave; identity: Identity } {
    const [terminal, identity] = [this.terminals[index], this.identities[index]];
    if (!terminal || !identity) throw new RangeError(`there is no terminal ${index}`);
    return { terminal, identity };
  }

  ofIdentity(identity: Identity): SimulatedEnclave {
    return this.at(this.identities.indexOf(identity)).terminal;
  }

  /** A channel between terminals `a` and `b`, agreed, with confirmed deposits. */
  async open(ends: { a: number; b: number }, deposits: { a: bigint; b: bigint }): Promise<Hop> {
    const [a, b] = [this.at(ends.a), this.at(ends.b)];
    const channel: ChannelIdentity = {
      partyA: a.identity,
      partyB: b.identity,
      payoutA: payout(ends.a),
      payoutB: payout(ends.b),
      token: NATIVE,
      challengePeriod: 0,
      salt: this.#nextSalt(),
    };
    const channelId = hashChannelIdentity(DOMAIN, channel);
    await this.relay(ends.a, { kind: 'agree', channel, side: 'A', peer: b.identity }, { hold: true });
    await this.relay(ends.b, { kind: 'agree', channel, side: 'B', peer: a.identity });
    await this.relay(ends.a, { kind: 'agree', channel, side: 'A', peer: b.identity });
    await this.relay(ends.b, { kind: 'confirmDeposit', channelId, total: deposits.a });
    await this.relay(ends.a, { kind: 'confirmDeposit', channelId, total: deposits.b });
    return { channelId, channel };
  }

  #nextSalt(): Bytes16 {
    return bytes16(`0x${(++this.#salt).toString(16).padStart(32, '0')}`);
  }

  /** Runs a command whose result is messages for one peer, and delivers them both ways until nothing is left. */
  async relay(from: number, command: Command, options: { hold?: boolean } = {}): Promise<Result> {
    const { terminal } = this.at(from);
    const result = await terminal.run(command);
    if (result.kind === 'messages' && !options.hold) for (const message of result.messages) await this.deliver(message);
    return result;
  }

  /** Delivers a message to whom its envelope names, and the replies to it. */
  async deliver(message: Uint8Array): Promise<Result> {
    const receiver = `0x${Buffer.from(message.subarray(20, 40)).toString('hex')}` as Identity;
    const result = await this.ofIdentity(receiver).run({ kind: 'deliver', message });
    if (result.kind === 'delivered') for (const reply of result.replies) await this.deliver(reply);
    return result;
  }

  /** Seals an order at terminal `payer` and lays its first attempt over the given hops. */
  async order(
    parties: { payer: number; payee: number },
    amount: bigint,
    route: Transfer[],
    attempt = 0,
  ): Promise<PaymentTerms> {
    const { terminal } = this.at(parties.payer);
    const { order } = await terminal.expect('order', {
      kind: 'order',
      payee: this.at(parties.payee).identity,
      token: NATIVE,
      amount,
      maxFee: 0n,
      invoice: ZERO_32,
      expiry: terminal.now + 60,
    });
    return termsOf(order, route, attempt);
  }

  participantsOf(terms: PaymentTerms): Identity[] {
    const owners = new Set<Identity>();
    for (const { payer, payee } of terms.transfers) for (const party of [payer, payee]) owners.add(party as Identity);
    return [...owners].sort();
  }

  prepareAll(terms: PaymentTerms): Promise<StepAnswer[]> {
    const participants = this.participantsOf(terms);
    const step = { kind: 'prepare' as const, terms, participants, preEvidence: null };
    return Promise.all(participants.map((each) => ask(this.ofIdentity(each), step)));
  }

  /** UPDATE or COMPLETE for every participant, with the evidence of the step before. */
  driveAll(kind: 'update' | 'complete', terms: PaymentTerms, before: StepAnswer[]): Promise<StepAnswer[]> {
    const participants = this.participantsOf(terms);
    const paymentId = hashPayment(DOMAIN, terms);
    return Promise.all(
      participants.map((each) => {
        const evidence = evidenceFor(participants, before, each);
        return ask(this.ofIdentity(each), { kind, paymentId, evidence });
      }),
    );
  }

  /** A whole honest round. */
  async pay(terms: PaymentTerms): Promise<StepAnswer[]> {
    const pre = await this.prepareAll(terms);
    const post = await this.driveAll('update', terms, pre);
    return this.driveAll('complete', terms, post);
  }

  async channel(index: number, channelId: ChannelId) {
    const { channels } = await this.at(index).terminal.expect('channels', { kind: 'listChannels' });
    const found = channels.find((each) => each.channelId === channelId);
    if (!found) throw new Error('the terminal does not know the channel');
    return found;
  }
}

/** What each other participant's answer holds for `receiver`, XORed, as a hub does it. */
export function evidenceFor(participants: Identity[], answers: StepAnswer[], receiver: Identity): Uint8Array {
  const macs = participants.flatMap((sender, index) => {
    const answer = answers[index];
    if (sender === receiver || !answer || !('evidence' in answer)) return [];
    const position = participants.filter((each) => each !== sender).indexOf(receiver);
    const mac = answer.evidence[position];
    return mac ? [mac] : [];
  });
  return aggregate(macs);
}

export async function ask(
  terminal: SimulatedEnclave,
  step: Extract<Command, { kind: 'step' }>['step'],
): Promise<StepAnswer> {
  return (await terminal.expect('step', { kind: 'step', step })).answer;
}

export function termsOf(
  order: { orderId: Bytes32; invoice: Bytes32; expiry: number },
  route: Transfer[],
  attempt = 0,
): PaymentTerms {
  const transfers = [...route].sort((left, right) => (left.channelId < right.channelId ? -1 : 1));
  return { nonce: orderNonce(order.orderId, attempt), invoice: order.invoice, expiry: order.expiry, transfers };
}

export const transfer = (hop: Hop, fromSide: 'A' | 'B', amount: bigint): Transfer => ({
  channelId: hop.channelId,
  payer: partyOf(hop.channel, fromSide),
  payee: partyOf(hop.channel, fromSide === 'A' ? 'B' : 'A'),
  token: NATIVE,
  amount,
});

const payout = (index: number): Address => address(`0x${(0xee00 + index).toString(16).padStart(40, '0')}`);
