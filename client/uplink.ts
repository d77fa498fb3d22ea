/**
 * Link and session as one: whether the hub can be spoken to, and waiting until it can. Frames are carried out side by
 * side, a bounded number of them; the enclave keeps their order.
 */

import type { Identity } from '../enclave/core/ids.ts';
import type { TerminalMessage } from '../enclave/core/wire.ts';
import { Link, type LinkSocket, type SocketEvents } from './link.ts';
import { TerminalRefusal } from './refusal.ts';
import { Session, type SessionNews, type SessionPorts } from './session.ts';
import { type Deferred, deferred, within } from './waiting.ts';

export interface UplinkOptions {
  hubUrl: string;
  hubWaitMs: number;
  connect(events: SocketEvents): LinkSocket;
  session: Omit<SessionPorts, 'send' | 'news'>;
  news(news: SessionNews): void;
  onLink(state: { online: boolean; reason: string }): void;
}

/** Frames of the hub that are not answered yet; a hub that sends more does not wait for answers. */
const MAX_FRAMES_UNDERWAY = 256;
/** A hub that has not seen a channel on chain yet cannot use a report about it: it gets it again. */
const REPORT_AGAIN_MS = [200, 500, 1_000, 2_000, 5_000, 15_000, 60_000];

export class Uplink {
  readonly session: Session;
  readonly #options: UplinkOptions;
  readonly #link: Link;
  readonly #present = new Map<Identity, boolean>();
  #welcome: Deferred<void> = deferred();
  #firstOutcome: Deferred<void> = deferred();
  /** Why there is no session, in the hub's words or the network's. */
  #trouble = { code: 'HUB_UNREACHABLE', message: 'no connection was made yet' };
  #underway = 0;
  #reports: ReturnType<typeof setTimeout>[] = [];

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.session = new Session({
      ...options.session,
      send: (messages) => this.#link.send(messages),
      news: (news) => this.#news(news),
    });
    this.#link = new Link({
      connect: (events) => options.connect(events),
      onOpen: () => undefined,
      onClose: (reason) => this.#closed(reason),
      onFrame: (messages) => {
        if (this.#underway >= MAX_FRAMES_UNDERWAY) return this.#link.disconnect('the hub sends faster than we answer');
        this.#underway++;
        void this.session.receive(messages).finally(() => {
          this.#underway--;
        });
      },
      random: Math.random,
    });
  }

  /** Resolves when it is known whether the hub can be reached, or after the usual waiting time. */
  async start(): Promise<void> {
    this.#link.start();
    const silent = (): TerminalRefusal => this.#unreachable();
    await within(this.#firstOutcome.promise, { ms: this.#options.hubWaitMs, late: silent }).catch(() => undefined);
  }

  stop(): void {
    this.#cancelReports();
    this.#link.stop();
    this.session.disconnected();
  }

  /** @throws TerminalRefusal HUB_UNREACHABLE, or the code with which the hub refused the session */
  async online(): Promise<void> {
    if (this.session.online) return;
    if (this.#trouble.code !== 'HUB_UNREACHABLE') throw this.#unreachable();
    await within(this.#welcome.promise, { ms: this.#options.hubWaitMs, late: () => this.#unreachable() });
  }

  /** The chain gave a channel money: says so until the hub, whose view of the chain may be behind, can have seen it. */
  reportUntilSeen(): void {
    this.#cancelReports();
    this.#reports = REPORT_AGAIN_MS.map((ms) => {
      const timer = setTimeout(() => {
        // Refused only where the enclave stopped, and then whoever stopped it knows.
        if (this.session.online) this.session.reportBalances().catch(() => undefined);
      }, ms);
      timer.unref();
      return timer;
    });
  }

  #cancelReports(): void {
    for (const timer of this.#reports.splice(0)) clearTimeout(timer);
  }

  /** Dropped where there is no session. */
  send(messages: TerminalMessage[]): void {
    if (this.session.online) this.#link.send(messages);
  }

  /** False only where the hub said so. */
  mayBeOnline(identity: Identity): boolean {
    return this.#present.get(identity) !== false;
  }

  #unreachable(): TerminalRefusal {
    const { code, message } = this.#trouble;
    const advice = 'Nothing was moved. Check that the hub runs; the terminal goes on trying by itself.';
    if (code !== 'HUB_UNREACHABLE') return new TerminalRefusal({ code, message });
    return new TerminalRefusal({
      code,
      message: `The hub ${this.#options.hubUrl} cannot be reached (${message}). ${advice}`,
    });
  }

  #news(news: SessionNews): void {
    if (news.kind === 'welcome') {
      this.#link.established(news.heartbeatMs);
      this.#welcome.resolve();
      this.#firstOutcome.resolve();
      this.#options.onLink({ online: true, reason: 'welcome' });
    }
    if (news.kind === 'presence') this.#present.set(news.identity, news.online);
    if (news.kind === 'refused' && news.session) {
      this.#trouble = { code: news.code, message: news.message };
      this.#link.disconnect(news.message);
    }
    this.#options.news(news);
  }

  #closed(reason: string): void {
    const wasOnline = this.session.online;
    if (this.#trouble.message !== reason) this.#trouble = { code: 'HUB_UNREACHABLE', message: reason };
    this.session.disconnected();
    this.#present.clear();
    if (wasOnline) this.#welcome = deferred();
    this.#firstOutcome.resolve();
    if (wasOnline) this.#options.onLink({ online: false, reason });
  }
}
