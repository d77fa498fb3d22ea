/**
 * A hub's core with fake terminals around it, in one thread and with a clock of its own.
 *
 * It does what the shell does: takes writes before sends, and checks on the way that every payment and decision was
 * written before anything of it was sent.
 */

import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import type { Deployment } from '../../enclave/core/credential.ts';
import { hashPayment } from '../../enclave/core/encoding.ts';
import { bytes16, type ChannelId, type Identity, NATIVE, type PaymentId, ZERO_32 } from '../../enclave/core/ids.ts';
import type { Order, OwnerPolicy } from '../../enclave/core/order.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import type { StepAnswer } from '../../enclave/core/round-messages.ts';
import type { HubMessage } from '../../enclave/core/wire.ts';
import type { ChainEvent, Effect, HubEvent, SessionMessage } from '../core/events.ts';
import { isUnfinished, type PaymentRecord, type PaymentState, type Snapshot } from '../core/records.ts';
import { resume } from '../core/resume.ts';
import { defaultSettings, type HubState, newState, type Settings } from '../core/state.ts';
import { step } from '../core/step.ts';
import { addressNumber, bytesNumber, channelNumber, terminalNumber } from './names.ts';
import { FakeTerminal } from './terminal.ts';

export const deployment: Deployment = { chainId: 31337n, contract: addressNumber(0xc0), domain: bytesNumber(0xd0) };

export type OrderUpdate = Extract<HubMessage, { kind: 'orderUpdate' }>;

export class FakeNetwork {
  nowMs = 1_700_000_000_000;
  readonly settings: Settings;
  state: HubState;
  readonly terminals = new Map<Identity, FakeTerminal>();
  readonly sessions = new Map<number, FakeTerminal>();
  readonly payments = new Map<PaymentId, PaymentRecord>();
  readonly logs: Extract<Effect, { kind: 'log' }>[] = [];
  readonly closed: Extract<Effect, { kind: 'close' }>[] = [];
  readonly identities = new Map<ChannelId, ChannelIdentity>();
  #queue: [number, SessionMessage][] = [];
  #sessions = 0;

  constructor(over: Partial<Settings> = {}) {
    this.settings = { ...defaultSettings, ...over };
    this.state = newState(deployment, this.settings, this.nowMs);
  }

  idOf = (terms: PaymentTerms): PaymentId => hashPayment(deployment.domain, terms);

  get nowS(): number {
    return Math.floor(this.nowMs / 1000);
  }

  terminal(number: number): FakeTerminal {
    const found = this.terminals.get(terminalNumber(number));
    if (!found) throw new Error(`there is no terminal ${number}`);
    return found;
  }

  /** Makes a terminal and connects it. */
  join(number: number, policy: Partial<OwnerPolicy> = {}): FakeTerminal {
    const terminal = new FakeTerminal(terminalNumber(number), this.idOf, policy);
    this.terminals.set(terminal.identity, terminal);
    this.connect(number);
    return terminal;
  }

  connect(number: number): void {
    const terminal = this.terminal(number);
    const session = ++this.#sessions;
    this.sessions.set(session, terminal);
    this.feed({ kind: 'connected', session, introduction: terminal.introduction, profile: terminal.profile });
    const balances = [...terminal.balances.keys()].map((channelId) => ({
      channelId,
      spendable: terminal.spendable(channelId),
    }));
    if (balances.length > 0) this.feed({ kind: 'message', session, message: { kind: 'balances', balances } });
  }

  disconnect(number: number): void {
    const session = this.sessionOf(number);
    this.sessions.delete(session);
    this.feed({ kind: 'disconnected', session });
  }

  sessionOf(number: number): number {
    const { session } = this.state.terminals.get(terminalNumber(number)) ?? {};
    if (session === null || session === undefined) throw new Error(`terminal ${number} has no session`);
    return session;
  }

  /** Opens a channel between two terminals with these deposits, as the chain tells it and both enclaves agree to it. */
  open(number: number, sides: [a: number, b: number], deposits: [a: bigint, b: bigint]): ChannelId {
    const channelId = channelNumber(number);
    const [partyA, partyB] = [terminalNumber(sides[0]), terminalNumber(sides[1])];
    const salt = bytes16(`0x${'00'.repeat(16)}`);
    const identity = { partyA, partyB, payoutA: partyA, payoutB: partyB, token: NATIVE, challengePeriod: 0, salt };
    this.identities.set(channelId, identity);
    const events: ChainEvent[] = [
      { kind: 'opened', channelId, identity },
      { kind: 'deposited', channelId, side: 'A', total: deposits[0] },
      { kind: 'deposited', channelId, side: 'B', total: deposits[1] },
    ];
    this.chain(events);
    for (const [index, side] of sides.entries()) {
      const spendable = deposits[index] ?? 0n;
      this.terminal(side).balances.set(channelId, spendable);
      this.say(side, { kind: 'balances', balances: [{ channelId, spendable }] });
    }
    return channelId;
  }

  chain(events: ChainEvent[]): void {
    this.feed({ kind: 'chain', events, cursor: { nextBlock: 1, anchor: null } });
  }

  say(number: number, message: SessionMessage): void {
    this.feed({ kind: 'message', session: this.sessionOf(number), message });
  }

  answer(number: number, answer: StepAnswer): void {
    this.say(number, { kind: 'answer', answer });
  }

  order(payer: number, payee: number, over: Partial<Order> = {}): Order {
    const order: Order = {
      orderId: bytesNumber(0x1000 + this.#orders++),
      payer: terminalNumber(payer),
      payee: terminalNumber(payee),
      token: NATIVE,
      amount: 10n,
      maxFee: 5n,
      invoice: ZERO_32,
      expiry: this.nowS + 60,
      ...over,
    };
    this.say(payer, { kind: 'order', order });
    return order;
  }
  #orders = 0;

  /** Time goes on in small ticks; everything that is said meanwhile is answered. */
  wait(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.nowMs += 100;
      this.feed({ kind: 'tick' });
    }
  }

  /** The hub stops without warning and starts from what it had written. */
  restart(): void {
    const { state } = this;
    const terminals = [...state.terminals.values()].map(({ introduction, profile }) => ({ introduction, profile }));
    const channels = [...state.channels.values()].map(({ channelId, identity, sides }) => {
      return { channelId, identity, depositA: sides.A.deposit, depositB: sides.B.deposit };
    });
    const snapshot: Snapshot = { terminals, channels, payments: [...this.payments.values()], cursor: state.cursor };
    this.sessions.clear();
    this.#queue = [];
    this.state = resume(deployment, snapshot, { settings: this.settings, nowMs: this.nowMs });
  }

  updates(number: number): OrderUpdate[] {
    return this.terminal(number).received.flatMap((message) => (message.kind === 'orderUpdate' ? [message] : []));
  }

  lastUpdate(number: number): OrderUpdate | undefined {
    return this.updates(number).at(-1);
  }

  /** Gives the core one event and lets everybody answer until nothing is left to say. */
  feed(event: HubEvent): void {
    this.#carry(step(this.state, event, this.nowMs));
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const [session, message] = next;
      if (this.sessions.has(session)) this.#carry(step(this.state, { kind: 'message', session, message }, this.nowMs));
    }
  }

  #carry(effects: Effect[]): void {
    for (const effect of effects) if (effect.kind === 'write') this.#write(effect);
    for (const effect of effects) {
      if (effect.kind === 'log') this.logs.push(effect);
      if (effect.kind === 'close') this.#close(effect);
      if (effect.kind === 'send') this.#send(effect);
    }
  }

  #write({ write }: Extract<Effect, { kind: 'write' }>): void {
    if (write.kind === 'paymentBegun') this.payments.set(write.payment.paymentId, write.payment);
    if (write.kind !== 'paymentMoved') return;
    const payment = this.payments.get(write.progress.paymentId);
    if (!payment) throw new Error('a payment moved before it was written');
    this.payments.set(payment.paymentId, { ...payment, ...write.progress });
  }

  #close(effect: Extract<Effect, { kind: 'close' }>): void {
    this.closed.push(effect);
    this.sessions.delete(effect.session);
  }

  #send({ session, message }: Extract<Effect, { kind: 'send' }>): void {
    if (message.kind === 'step') this.#mustBeWritten(message);
    const terminal = this.sessions.get(session);
    const answer = terminal?.take(message);
    if (answer) this.#queue.push([session, { kind: 'answer', answer }]);
  }

  #mustBeWritten({ step: sent }: Extract<HubMessage, { kind: 'step' }>): void {
    const paymentId = 'terms' in sent ? this.idOf(sent.terms) : sent.paymentId;
    const payment = this.payments.get(paymentId);
    const decisions: Partial<Record<typeof sent.kind, PaymentState>> = {
      update: 'updating',
      complete: 'completing',
      completeByDone: 'completing',
      abort: 'aborting',
    };
    const wanted = decisions[sent.kind];
    if (!payment || (wanted && payment.state !== wanted) || !isUnfinished(payment.state)) {
      throw new Error(`${sent.kind} was sent of a payment written as ${payment?.state ?? 'nothing'}`);
    }
  }
}
