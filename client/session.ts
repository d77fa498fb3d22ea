/**
 * A terminal's side of the conversation with a hub: messages in, enclave commands, answers out (PROTOCOL.md section 4).
 *
 * No socket, clock or randomness here; simulations run this very file. Invariants: the commands of one incoming frame are
 * given to the enclave in one turn, in the order of the frame, and answered in one frame; nothing is believed on the hub's
 * word; what a peer may have missed is written again whenever that peer comes online.
 */

import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import { otherSide, partyOf } from '../enclave/core/channel-identity.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import { hashChannelIdentity } from '../enclave/core/encoding.ts';
import type { ChannelId, Identity } from '../enclave/core/ids.ts';
import type { ChannelView, Notice, PaymentView, Self } from '../enclave/core/interface.ts';
import { MAX_COMMANDS } from '../enclave/core/limits.ts';
import type { Step, StepAnswer } from '../enclave/core/round-messages.ts';
import type { HubMessage, Profile, TerminalMessage } from '../enclave/core/wire.ts';
import { Acquaintances, type Found } from './acquaintance.ts';
import type { EnclavePort } from './enclave-port.ts';
import { Quotes, type RouteQuote, type RouteWish } from './quotes.ts';
import { codeOf, messageOf } from './refusal.ts';

type Message<K extends HubMessage['kind']> = Extract<HubMessage, { kind: K }>;

/** What the session tells whoever runs it. */
export type SessionNews =
  | { kind: 'welcome'; heartbeatMs: number }
  /** By the hub: the session while there is no welcome, one message after that. */
  | { kind: 'refused'; session: boolean; code: string; message: string }
  | { kind: 'step'; step: Step; answer: StepAnswer; about: PaymentView | null }
  | { kind: 'notice'; from: Identity; notice: Notice }
  | { kind: 'proposal'; from: Identity; channelId: ChannelId; refused: string | null }
  | { kind: 'presence'; identity: Identity; online: boolean }
  | Message<'orderUpdate'>
  | Found
  | { kind: 'trouble'; code: string; message: string };

export interface ProposedChannel {
  from: Identity;
  channelId: ChannelId;
  channel: ChannelIdentity;
  /** This terminal's side. */
  side: Side;
}

export interface SessionPorts {
  enclave: EnclavePort;
  deployment: Deployment;
  /** The hub's name as it is dialled (`audienceOf`): what it is told by the hub never counts. */
  audience: string;
  /** To the hub, as one frame; dropped where there is no connection. */
  send(messages: TerminalMessage[]): void;
  profile(self: Self): Profile;
  /** Why a proposal is refused, in words, or null to agree to it. */
  judge(proposal: ProposedChannel): Promise<string | null>;
  news(news: SessionNews): void;
}

export class Session {
  readonly #ports: SessionPorts;
  readonly #peers: Acquaintances;
  readonly #quotes = new Quotes();
  /** Proposals under way: messages of their senders wait for them, so that an agreement finds its channel. */
  readonly #proposals = new Map<Identity, Promise<void>>();
  #welcome = false;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
    this.#peers = new Acquaintances(ports.enclave, (identity) => ports.send([{ kind: 'lookup', identity }]));
  }

  /** True between the hub's welcome and the end of the connection. */
  get online(): boolean {
    return this.#welcome;
  }

  disconnected(): void {
    this.#welcome = false;
    this.#peers.disconnected();
    this.#quotes.disconnected();
  }

  /** Carries out one frame of the hub. Never rejects; what cannot be done is told as trouble. */
  async receive(messages: readonly HubMessage[]): Promise<void> {
    const answers = await Promise.all(messages.map((message) => this.#guarded(() => this.#answer(message))));
    this.#send(answers.flat());
  }

  /** @throws TerminalRefusal UNKNOWN_PEER, HUB_UNREACHABLE, and what the enclave refuses */
  lookup(identity: Identity): Promise<Found> {
    return this.#peers.lookup(identity);
  }

  /** What a payment would take now. @throws TerminalRefusal with the hub's code, or HUB_UNREACHABLE */
  quote(wish: RouteWish): Promise<RouteQuote> {
    return this.#quotes.ask((requestId) => this.#send([{ kind: 'routeRequest', requestId, ...wish }]));
  }

  /** Agrees to a channel and proposes it to the peer; the peer's agreement comes as a notice. */
  async propose(proposal: { peer: Identity; channel: ChannelIdentity; side: Side }): Promise<void> {
    const { peer, channel, side } = proposal;
    await this.#ports.enclave.run({ kind: 'agree', channel, side, peer });
    this.#send([{ kind: 'propose', to: peer, channel, side }]);
  }

  /** Hands messages of the own enclave to another one. */
  relay(to: Identity, messages: readonly Uint8Array[]): void {
    this.#send(relayed(to, messages));
  }

  /** Writes again whatever this peer may have missed. */
  async resend(peer: Identity): Promise<void> {
    const { messages } = await this.#ports.enclave.run({ kind: 'resend', peer });
    this.relay(peer, messages);
  }

  /** Tells the hub what can be spent on channels whose balance changed outside a round; on all where none is named. */
  async reportBalances(channelIds?: readonly ChannelId[]): Promise<void> {
    const { channels } = await this.#ports.enclave.run({ kind: 'listChannels' });
    this.#send(balancesOf(channels, channelIds));
  }

  /** New certificates or another policy. */
  async announce(): Promise<void> {
    const self = await this.#ports.enclave.run({ kind: 'describe' });
    this.#send([{ kind: 'announce', certificates: self.certificates, profile: this.#ports.profile(self) }]);
  }

  #send(messages: TerminalMessage[]): void {
    for (let at = 0; at < messages.length; at += MAX_COMMANDS) this.#ports.send(messages.slice(at, at + MAX_COMMANDS));
  }

  async #guarded(work: () => Promise<TerminalMessage[]> | TerminalMessage[]): Promise<TerminalMessage[]> {
    try {
      return await work();
    } catch (error) {
      this.#ports.news({ kind: 'trouble', code: codeOf(error) ?? 'UNEXPECTED', message: messageOf(error) });
      return [];
    }
  }

  /** Runs beside the frame that brought it: its answer may need another frame first. */
  #beside(work: () => Promise<TerminalMessage[]>): void {
    void this.#guarded(work).then((messages) => this.#send(messages));
  }

  #answer(message: HubMessage): Promise<TerminalMessage[]> | TerminalMessage[] {
    switch (message.kind) {
      case 'challenge':
        return this.#hello(message);
      case 'welcome':
        this.#welcome = true;
        this.#ports.news({ kind: 'welcome', heartbeatMs: message.heartbeatMs });
        return this.#catchUp();
      case 'refused':
        this.#ports.news({ ...message, session: !this.#welcome });
        return [];
      case 'introduce':
        return this.#peers.introduce(message).then(() => []);
      case 'found':
        return this.#peers.found(message).then(() => {
          this.#ports.news(message);
          return [];
        });
      case 'notFound':
        this.#peers.notFound(message.identity);
        return [];
      case 'step':
        return this.#step(message.step);
      case 'relayed':
        return this.#relayed(message);
      case 'proposed':
        this.#proposed(message);
        return [];
      case 'undeliverable':
        this.#ports.news({ kind: 'presence', identity: message.to, online: false });
        return [];
      case 'presence':
        return this.#presence(message);
      case 'orderUpdate':
        this.#ports.news(message);
        return [];
      case 'routeQuote':
        this.#quotes.answered(message);
        return [];
    }
  }

  async #hello(message: Message<'challenge'>): Promise<TerminalMessage[]> {
    const { chainId, contract } = this.#ports.deployment;
    if (message.chainId !== chainId || message.contract !== contract) {
      this.#ports.news({
        kind: 'refused',
        session: true,
        code: 'WRONG_CHAIN',
        message: `The hub serves the contract ${message.contract} on chain ${message.chainId}, this terminal ${contract} on chain ${chainId}. Choose a hub for this chain.`,
      });
      return [];
    }
    const { audience } = this.#ports;
    const [self, { signature }] = await Promise.all([
      this.#ports.enclave.run({ kind: 'describe' }),
      this.#ports.enclave.run({ kind: 'session', challenge: message.challenge, audience }),
    ]);
    const { credential, certificates } = self;
    return [{ kind: 'hello', credential, certificates, profile: this.#ports.profile(self), audience, signature }];
  }

  /** After a time away: what peers may have missed, and what can be spent. */
  async #catchUp(): Promise<TerminalMessage[]> {
    const { channels } = await this.#ports.enclave.run({ kind: 'listChannels' });
    const usable = channels.filter((channel) => !channel.settled && !channel.exitSigned);
    const peers = [...new Set(usable.map((channel) => channel.peer))];
    const resent = await Promise.all(
      peers.map((peer) =>
        this.#guarded(async () => {
          const { messages } = await this.#ports.enclave.run({ kind: 'resend', peer });
          return relayed(peer, messages);
        }),
      ),
    );
    return [...balancesOf(channels), ...resent.flat()];
  }

  async #step(step: Step): Promise<TerminalMessage[]> {
    const { answer, about } = await this.#ports.enclave.run({ kind: 'step', step });
    this.#ports.news({ kind: 'step', step, answer, about });
    return [{ kind: 'answer', answer }];
  }

  #relayed(message: Message<'relayed'>): Promise<TerminalMessage[]> | TerminalMessage[] {
    const proposal = this.#proposals.get(message.from);
    if (!proposal) return this.#deliver(message);
    this.#beside(async () => {
      await proposal;
      return this.#deliver(message);
    });
    return [];
  }

  async #deliver({ from, message }: Message<'relayed'>): Promise<TerminalMessage[]> {
    const { replies, notice } = await this.#ports.enclave.run({ kind: 'deliver', message });
    const answers = relayed(from, replies);
    if (!notice) return answers;
    // The proposer's own agreement follows the peer's: before that the peer's enclave did not know the channel.
    if (notice.kind === 'agreed') {
      const { messages } = await this.#ports.enclave.run({ kind: 'resend', peer: from });
      answers.push(...relayed(from, messages));
    }
    this.#ports.news({ kind: 'notice', from, notice });
    const changed = notice.kind === 'confirmed' || notice.kind === 'directReceived' || notice.kind === 'resolved';
    if (!changed) return answers;
    const { channels } = await this.#ports.enclave.run({ kind: 'listChannels' });
    return [...answers, ...balancesOf(channels, [notice.channelId])];
  }

  async #presence(message: Message<'presence'>): Promise<TerminalMessage[]> {
    const { identity, online } = message;
    this.#ports.news({ kind: 'presence', identity, online });
    if (!online) return [];
    const { messages } = await this.#ports.enclave.run({ kind: 'resend', peer: identity });
    return relayed(identity, messages);
  }

  /** One proposal of a terminal at a time; they are few. */
  #proposed(message: Message<'proposed'>): void {
    const { from } = message;
    const before = this.#proposals.get(from) ?? Promise.resolve();
    const done = before.then(async () => this.#send(await this.#guarded(() => this.#consider(message))));
    this.#proposals.set(from, done);
    void done.finally(() => {
      if (this.#proposals.get(from) === done) this.#proposals.delete(from);
    });
  }

  async #consider({ from, channel, side }: Message<'proposed'>): Promise<TerminalMessage[]> {
    const channelId = hashChannelIdentity(this.#ports.deployment.domain, channel);
    const own = otherSide(side);
    const reason = await this.#ports.judge({ from, channelId, channel, side: own });
    if (reason !== null) {
      this.#ports.news({ kind: 'proposal', from, channelId, refused: reason });
      return [];
    }
    await this.#peers.require(from, partyOf(channel, side));
    const { messages } = await this.#ports.enclave.run({ kind: 'agree', channel, side: own, peer: from });
    this.#ports.news({ kind: 'proposal', from, channelId, refused: null });
    return relayed(from, messages);
  }
}

/** Lower-case host[:port] of a ws:// or wss:// address, as every session signature names it. */
export const audienceOf = (hubUrl: string): string => new URL(hubUrl).host;

const relayed = (to: Identity, messages: readonly Uint8Array[]): TerminalMessage[] =>
  messages.map((message) => ({ kind: 'relay', to, message }));

/** A channel being left has nothing to spend for others any more. */
function balancesOf(channels: readonly ChannelView[], only?: readonly ChannelId[]): TerminalMessage[] {
  const usable = channels.filter((channel) => channel.agreed && !channel.settled);
  const wanted = only ? usable.filter((channel) => only.includes(channel.channelId)) : usable;
  if (wanted.length === 0) return [];
  const balances = wanted.map(({ channelId, spendable, exitSigned }) => ({
    channelId,
    spendable: exitSigned ? 0n : spendable,
  }));
  return [{ kind: 'balances', balances }];
}
