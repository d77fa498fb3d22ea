/**
 * A terminal as a library: wallet, merchant or intermediary, one of PROTOCOL.md section 1's hosts with its enclave.
 *
 * This file only joins the parts: storage (vault, journal, enclave), uplink (link, session), chain view, and what the
 * owner does with them. Everything that protects money happens in the enclave. Every method rejects with TerminalRefusal.
 */

import { toHex } from '../enclave/core/codec.ts';
import type { Deployment } from '../enclave/core/credential.ts';
import { domainSeparator } from '../enclave/core/encoding.ts';
import {
  type Address,
  address,
  type Bytes16,
  type Bytes32,
  type ChannelId,
  type Identity,
  NATIVE,
  type PaymentId,
} from '../enclave/core/ids.ts';
import type { Notice } from '../enclave/core/interface.ts';
import type { Order } from '../enclave/core/order.ts';
import { Cashier } from './cashier.ts';
import { ChainConnection } from './chain/connection.ts';
import { ChainReporter } from './chain/reporter.ts';
import { ChainView } from './chain/view.ts';
import { Channels, requireAmount } from './channels.ts';
import { DirectPayments } from './direct-payments.ts';
import { Emitter } from './emitter.ts';
import { History } from './history.ts';
import { decodeInvoice, requireUnexpired } from './invoice-text.ts';
import { Invoices } from './invoices.ts';
import { KeyedOrders } from './keyed-orders.ts';
import { connectSocket } from './node-socket.ts';
import { OrderSeal } from './order-seal.ts';
import { Payer } from './payer.ts';
import { PaymentBook } from './payment-book.ts';
import { whyNotAgreed } from './proposals.ts';
import { asRefusal, codeOf, messageOf, TerminalRefusal } from './refusal.ts';
import { audienceOf, type ProposedChannel, type Session, type SessionNews } from './session.ts';
import { openStorage, type Storage } from './storage.ts';
import type {
  ChainCost,
  ChannelEvent,
  ChannelView,
  InvoiceRequest,
  InvoiceText,
  OpenChannelRequest,
  PaymentHistoryEntry,
  PaymentView,
  PayOptions,
  PayResult,
  PayTarget,
  RefundRequest,
  RouteQuote,
  TerminalEvents,
  TerminalOptions,
  TokenBalance,
} from './terminal-types.ts';
import { Uplink } from './uplink.ts';
import { within } from './waiting.ts';

const DEFAULTS = { pollMs: 1_000, hubWaitMs: 10_000, peerWaitMs: 300_000 };
const MAX_NAME_BYTES = 64;
/** How often what peers have not acknowledged is sent again. */
const RESEND_MS = 15_000;

const nowMs = (): number => Date.now();
const nowS = (): number => Math.floor(Date.now() / 1_000);

export class Terminal {
  readonly identity: Identity;
  readonly payout: Address;
  readonly events: Emitter<TerminalEvents>;
  readonly #options: TerminalOptions;
  readonly #deployment: Deployment;
  readonly #storage: Storage;
  readonly #chain: ChainConnection;
  readonly #chainView: ChainView;
  readonly #uplink: Uplink;
  readonly #channels: Channels;
  readonly #book: PaymentBook;
  readonly #payer: Payer;
  readonly #direct: DirectPayments;
  readonly #orders: KeyedOrders;
  readonly #cashier: Cashier;
  /** What this terminal asked for. */
  readonly invoices: Invoices;
  /** What became of every payment. */
  readonly history: History;
  readonly #stopping = new AbortController();
  readonly #maintenance: ReturnType<typeof setInterval>;

  private constructor(options: TerminalOptions, storage: Storage, chain: ChainConnection) {
    const { enclave, journal, self } = storage;
    this.#options = options;
    this.#storage = storage;
    this.#chain = chain;
    this.identity = self.credential.identity;
    this.payout = address(options.owner.address);
    this.#deployment = deploymentOf(options);
    this.events = new Emitter((error) => this.#trouble('listener', error));
    const hubWaitMs = options.hubWaitMs ?? DEFAULTS.hubWaitMs;
    this.#uplink = this.#makeUplink(hubWaitMs);
    const { session } = this.#uplink;
    this.#book = new PaymentBook({
      ...{ enclave, journal, nowMs },
      onPhase: (payment) => {
        this.#payer.onPhase(payment);
        this.#orders.onPhase(payment);
        this.invoices.onPhase(payment);
        this.events.emit('payment', { payment, at: nowMs() });
      },
      onSaved: () => this.history.onSaved(),
      onTrouble: (error) => this.#trouble('disk', error),
    });
    this.history = new History({ identity: this.identity, enclave, journal, settle: () => this.#book.settle() });
    const seal = new OrderSeal(enclave);
    const submit = (order: Order): void => this.#uplink.send([{ kind: 'order', order }]);
    const onTrouble = (error: unknown): void => this.#trouble('disk', error);
    this.#orders = new KeyedOrders({ enclave, journal, submit, nowMs, onTrouble });
    this.#payer = new Payer({
      ...{ enclave: seal, book: this.#book, nowMs, submit },
      giveUp: (orderId) => this.#uplink.send([{ kind: 'cancelOrder', orderId }]),
    });
    this.#channels = new Channels({
      ...{ enclave, session, chain, hubWaitMs, deployment: this.#deployment },
      ...{ identity: this.identity, payout: this.payout, peerWaitMs: options.peerWaitMs ?? DEFAULTS.peerWaitMs },
      online: () => this.#uplink.online(),
      nextEvent: (isIt, signal) => this.#nextChannelEvent(isIt, signal),
      randomSalt: () => toHex(crypto.getRandomValues(new Uint8Array(16))) as Bytes16,
    });
    this.#direct = new DirectPayments({
      ...{ enclave, session, book: this.#book, identity: this.identity },
      view: (channelId) => this.#channels.view(channelId),
    });
    this.#cashier = new Cashier({
      ...{ enclave, journal, seal, nowMs, book: this.#book, payer: this.#payer, orders: this.#orders },
      ...{ deployment: this.#deployment, identity: this.identity, stopping: this.#stopping.signal },
      channels: () => this.#channels.list(),
      online: () => this.#uplink.online(),
      onHandoverFailure: (url, error) =>
        options.logger.info({ url, error: messageOf(error) }, 'the proof of payment was not handed over'),
    });
    this.invoices = new Invoices({
      ...{ enclave, journal, nowMs, deployment: this.#deployment, stopping: this.#stopping.signal },
      handoverUrl: options.handoverUrl ?? null,
      noteDescription: (hash, description) => this.#book.noteDescription(hash, description),
      receivable: (token) => this.#channels.receivable(token),
    });
    this.#chainView = this.#makeChainView();
    this.#maintenance = setInterval(() => void this.#resendUnacknowledged(), RESEND_MS);
    this.#maintenance.unref();
  }

  /**
   * Starts from the data directory, or makes a new terminal there. Resolves also while hub or RPC are out of reach: it
   * goes on trying, `online` and the events tell.
   * @throws TerminalRefusal DATA_IN_USE, DATA_CORRUPT, STALE, WRONG_CHAIN, WRONG_DEPLOYMENT, NO_CONTRACT
   */
  static async start(options: TerminalOptions): Promise<Terminal> {
    requireName(options.name);
    const chain = new ChainConnection(options);
    let storage: Storage | null = null;
    try {
      await chain.open().catch((error: unknown) => {
        if (codeOf(error) !== 'RPC_UNREACHABLE') throw asRefusal(error, 'CHAIN_UNREACHABLE');
        options.logger.warn({ rpcUrl: options.rpcUrl }, messageOf(error));
      });
      storage = await openStorage({
        ...options,
        onFullDisk: () => options.logger.error({ dataDirectory: options.dataDirectory }, FULL_DISK),
      });
      const terminal = new Terminal(options, storage, chain);
      await terminal.#begin();
      return terminal;
    } catch (error) {
      await storage?.close();
      await chain.close();
      throw error;
    }
  }

  /** Whether the hub can be spoken to now. */
  get online(): boolean {
    return this.#uplink.session.online;
  }

  on: Emitter<TerminalEvents>['on'] = (name, listener) => this.events.on(name, listener);
  once: Emitter<TerminalEvents>['once'] = (name, listener) => this.events.once(name, listener);
  off: Emitter<TerminalEvents>['off'] = (name, listener) => this.events.off(name, listener);

  /** Agrees with the peer, opens with a first deposit, and waits until the peer's enclave has confirmed it. */
  openChannel(request: OpenChannelRequest): Promise<{ channelId: ChannelId; transactionHash: Bytes32 }> {
    return refusing(this.#channels.open(request));
  }

  /** Adds to the own side, and waits until the peer's enclave has confirmed the new total. */
  deposit(request: { channelId: ChannelId; amount: bigint }): Promise<{ transactionHash: Bytes32; total: bigint }> {
    return refusing(this.#channels.deposit(request));
  }

  /** Ends a channel with nothing pending; both payout addresses are credited at once. */
  closeChannel(request: {
    channelId: ChannelId;
  }): Promise<{ transactionHash: Bytes32; creditA: bigint; creditB: bigint }> {
    return refusing(this.#channels.close(request.channelId));
  }

  /** Leaves a channel at any time, whatever is pending and whether the peer answers or not. */
  ejectChannel(request: {
    channelId: ChannelId;
  }): Promise<{ transactionHash: Bytes32; creditA: bigint; creditB: bigint }> {
    return refusing(this.#channels.eject(request.channelId));
  }

  /** Has the outcome that this terminal's phase of a stuck payment stands for recorded on chain. */
  recordOutcome(request: { paymentId: PaymentId }): Promise<{ transactionHash: Bytes32; outcome: 'VOID' | 'APPLIED' }> {
    return refusing(this.#channels.record(request.paymentId));
  }

  /** What ejecting the channel will cost, before anything is signed. */
  ejectCost(request: { channelId: ChannelId }): Promise<ChainCost> {
    return refusing(this.#channels.ejectCost(request.channelId));
  }

  /** What having an outcome recorded will cost, before anything is signed. */
  recordCost(): Promise<ChainCost> {
    return refusing(this.#channels.recordCost());
  }

  /** @returns null where the contract owes the payout address nothing */
  withdraw(request: { token?: Address } = {}): Promise<{ amount: bigint; transactionHash: Bytes32 } | null> {
    return refusing(this.#channels.withdraw(request.token ?? NATIVE));
  }

  invoice(request: InvoiceRequest): Promise<InvoiceText> {
    return refusing(this.invoices.make(request));
  }

  pay(target: PayTarget, options: PayOptions = {}): Promise<PayResult> {
    return refusing(this.#cashier.pay(target, options));
  }

  /**
   * What a payment would take now, by the hub's word and without paying; another moment may need another route.
   * @throws TerminalRefusal with the hub's code where it could not be made now, and HUB_UNREACHABLE
   */
  quote(target: PayTarget): Promise<RouteQuote> {
    return refusing(this.#quote(target));
  }

  /** Pays the payer of a received payment, without an invoice; more than was received is never given back. */
  refund(request: RefundRequest, options: PayOptions = {}): Promise<PayResult> {
    return refusing(this.#cashier.refund(request, options));
  }

  /** Pays the peer of one channel without a round; final when the peer's acknowledgement comes as an event. */
  payDirect(request: { channelId: ChannelId; amount: bigint; reference?: Bytes32 }): Promise<{ sequence: number }> {
    requireAmount(request.amount, 'A payment');
    return refusing(this.#direct.pay(request));
  }

  balance(): Promise<TokenBalance[]> {
    return refusing(this.#channels.balances());
  }

  channels(): Promise<ChannelView[]> {
    return refusing(this.#channels.list());
  }

  /** Newest first; `before` is the sequence of the last entry of the page before. */
  async payments(page: { limit?: number; before?: number } = {}): Promise<PaymentHistoryEntry[]> {
    await this.#book.settle();
    return refusing(this.#storage.journal.payments({ limit: page.limit ?? 50, before: page.before ?? null }));
  }

  /** DONE evidence from a payer: completes the payment here where the hub has not yet. */
  acceptHandover(bytes: Uint8Array): Promise<{ paymentId: PaymentId; phase: PaymentView['phase'] }> {
    return refusing(this.#cashier.acceptHandover(bytes));
  }

  /** Ends everything; payments under way stay as they are and go on after the next start. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    clearInterval(this.#maintenance);
    this.#uplink.stop();
    this.#payer.stop();
    this.#orders.stop();
    await this.#chainView.stop();
    await this.#book.settle();
    await this.#storage.close();
    await this.#chain.close();
  }

  async #begin(): Promise<void> {
    await this.#book.restore();
    await this.#direct.restore(await this.#channels.list());
    await this.#orders.restore();
    this.#chainView.start();
    await this.#uplink.start();
  }

  async #quote(target: PayTarget): Promise<RouteQuote> {
    const { payee, amount, token = NATIVE } = 'invoice' in target ? this.#readInvoice(target.invoice) : target;
    requireAmount(amount, 'A payment');
    await this.#uplink.online();
    const late = (): TerminalRefusal =>
      new TerminalRefusal({ code: 'HUB_UNREACHABLE', message: 'The hub did not answer in time. Ask again.' });
    const ms = this.#options.hubWaitMs ?? DEFAULTS.hubWaitMs;
    return within(this.#uplink.session.quote({ payee, token, amount }), { ms, late });
  }

  #readInvoice(text: string) {
    const { invoice } = decodeInvoice(text, this.#deployment);
    requireUnexpired(invoice, nowS());
    return invoice;
  }

  #makeUplink(hubWaitMs: number): Uplink {
    const { hubUrl, name } = this.#options;
    return new Uplink({
      ...{ hubUrl, hubWaitMs },
      connect: (events) => connectSocket(hubUrl, events),
      session: {
        enclave: this.#storage.enclave,
        deployment: this.#deployment,
        audience: audienceOf(hubUrl),
        profile: () => ({ name, payout: this.payout, policy: this.#options.policy }),
        judge: (proposal) => this.#judge(proposal),
      },
      news: (news) => this.#onNews(news),
      onLink: (state) => {
        this.#options.logger.info(state, state.online ? 'connected to the hub' : 'the hub is out of reach');
        if (state.online) {
          this.#payer.resubmit();
          this.#orders.resubmit();
        }
        this.events.emit('link', state);
      },
    });
  }

  #makeChainView(): ChainView {
    const { enclave, journal } = this.#storage;
    const { chainId, contract, fromBlock, confirmations, logger } = this.#options;
    const chain = this.#chain;
    const session: Session = this.#uplink.session;
    const reporter = new ChainReporter({
      ...{ enclave, nowS },
      relay: (to, messages) => session.relay(to, messages),
      outcomeAt: (paymentId, blockNumber) => chain.outcomeAt(paymentId, blockNumber),
      onDeposit: (deposit) => this.events.emit('channel', { kind: 'deposit', ...deposit }),
      onSettled: ({ channelId, creditA, creditB }) =>
        this.events.emit('channel', { kind: 'settled', channelId, creditA, creditB }),
      onResolved: async () => {
        const { channels } = await chain.open();
        await this.#book.refresh(async (paymentId) => (await channels.outcome(paymentId)) ?? null);
        await session.reportBalances();
      },
      onRefused: (refusal) => logger.warn(refusal, 'the enclave did not take what the chain says'),
    });
    return new ChainView({
      ...{ connection: chain, reporter, journal, chainId, fromBlock, confirmations, address: contract },
      pollMs: this.#options.pollMs ?? DEFAULTS.pollMs,
      onTrouble: (trouble) => this.#report('chain', trouble),
      onRecovered: () => logger.info({}, 'the chain is followed again'),
    });
  }

  #onNews(news: SessionNews): void {
    switch (news.kind) {
      case 'step': {
        const { answer, about } = news;
        if (!about) return;
        if (answer.kind === 'completed') this.#cashier.handOver(answer, about);
        return this.#book.see(about);
      }
      case 'notice':
        return this.#onNotice(news.from, news.notice);
      case 'orderUpdate':
        this.history.onUpdate(news);
        this.#orders.onUpdate(news);
        return this.#payer.onUpdate(news);
      case 'proposal': {
        const { channelId, from: peer, refused: reason } = news;
        const kind = reason === null ? 'proposed' : 'refused';
        return this.events.emit('channel', { kind, channelId, peer, reason });
      }
      case 'found': {
        const { credential, profile } = news;
        const peer = { identity: credential.identity, name: profile.name, payout: profile.payout, seenAt: nowMs() };
        this.#storage.journal.savePeer(peer).catch((error: unknown) => this.#trouble('disk', error));
        return;
      }
      case 'refused':
        return this.#report('hub', news);
      case 'trouble':
        return this.#report('enclave', news);
      case 'welcome':
      case 'presence':
        return;
    }
  }

  #onNotice(peer: Identity, notice: Notice): void {
    switch (notice.kind) {
      case 'agreed':
        return this.events.emit('channel', { ...notice, peer });
      case 'confirmed':
        this.#uplink.reportUntilSeen();
        return this.events.emit('channel', notice);
      case 'directReceived':
      case 'directAcknowledged':
        this.#direct.onNotice(notice).catch((error: unknown) => this.#trouble('enclave', error));
        return this.events.emit('channel', notice);
      case 'resolved':
        return this.#book.resolved(notice);
    }
  }

  /** An event that its own channel's owner caused, or waits for. */
  #nextChannelEvent(isIt: (event: ChannelEvent) => boolean, signal: AbortSignal): Promise<ChannelEvent> {
    return new Promise((resolve, reject) => {
      const stop = AbortSignal.any([signal, this.#stopping.signal]);
      const off = this.events.on('channel', (event) => {
        if (!isIt(event)) return;
        off();
        resolve(event);
      });
      stop.addEventListener('abort', () => {
        off();
        reject(new TerminalRefusal({ code: 'STOPPED', message: 'The terminal was stopped meanwhile.' }));
      });
    });
  }

  async #judge(proposal: ProposedChannel): Promise<string | null> {
    const rules = {
      payout: this.payout,
      tokens: this.#options.tokens ?? [NATIVE],
      maxChallengePeriodS: this.#options.maxChallengePeriodS ?? 0,
    };
    const reason = whyNotAgreed(proposal, rules, await this.#channels.list());
    if (reason !== null) return reason;
    const { from, channelId, channel } = proposal;
    const accepted = (await this.#options.onProposal?.({ from, channelId, channel })) ?? true;
    return accepted ? null : 'the owner refused it';
  }

  async #resendUnacknowledged(): Promise<void> {
    if (!this.online) return;
    try {
      const waiting = (await this.#channels.list()).filter(
        (view) => !view.settled && !view.exitSigned && (view.directUnacknowledged > 0 || !view.agreed),
      );
      const peers = new Set(waiting.map((view) => view.peer));
      for (const peer of peers) if (this.#uplink.mayBeOnline(peer)) await this.#uplink.session.resend(peer);
    } catch (error) {
      this.#trouble('enclave', error);
    }
  }

  #trouble(about: TerminalEvents['trouble']['about'], error: unknown): void {
    this.#report(about, { code: codeOf(error) ?? 'UNEXPECTED', message: messageOf(error) });
  }

  #report(about: TerminalEvents['trouble']['about'], trouble: { code: string; message: string }): void {
    const { code, message } = trouble;
    this.#options.logger.warn({ about, code }, message);
    // A listener that throws is not told again of its own failure.
    if (about !== 'listener') this.events.emit('trouble', { about, code, message });
  }
}

const FULL_DISK = 'the disk is full: nothing is acknowledged until there is room again';

function deploymentOf({ chainId, contract }: TerminalOptions): Deployment {
  return { chainId, contract, domain: domainSeparator(chainId, contract) };
}

function requireName(name: string): void {
  if (new TextEncoder().encode(name).length <= MAX_NAME_BYTES) return;
  throw new TerminalRefusal({
    code: 'NAME_TOO_LONG',
    message: `The terminal's name is longer than ${MAX_NAME_BYTES} bytes of UTF-8. Give it a shorter one.`,
  });
}

async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asRefusal(error, 'STOPPED');
  }
}
