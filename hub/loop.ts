/**
 * The hub's one ordered loop: events in → core → one commit → effects out (ARCHITECTURE.md, imperative shell).
 *
 * Invariants: nothing leaves before what it depends on is on disk; all events that arrived meanwhile share the next
 * commit; a commit that fails ends the hub, for its memory is ahead of its log then.
 */

import type { Effect, HubEvent } from './core/events.ts';
import { MAX_EVENTS_PER_TURN, MAX_QUEUED_EVENTS } from './core/limits.ts';
import type { HubState } from './core/state.ts';
import { step } from './core/step.ts';
import type { HubStore } from './store/store.ts';

export type Carried = Exclude<Effect, { kind: 'write' }>;

export interface LoopPorts {
  readonly state: HubState;
  readonly store: HubStore;
  /** Unix milliseconds. */
  now(): number;
  carry(effect: Carried): void;
  /** The turn's effects were all carried out. */
  turned(): void;
  /** True: more waits than should, stop reading; false: go on. */
  pressed(isPressed: boolean): void;
  failed(error: Error): void;
}

interface Waiting {
  readonly event: HubEvent;
  /** Told with null when the event was taken, with an error where the loop ended instead. */
  readonly done: ((error: Error | null) => void) | null;
}

const TICK_MS = 100;

export class Loop {
  readonly #ports: LoopPorts;
  #queue: Waiting[] = [];
  #turn: Promise<void> | null = null;
  #isOver = false;
  readonly #clock: NodeJS.Timeout;

  constructor(ports: LoopPorts) {
    this.#ports = ports;
    this.#clock = setInterval(() => this.push({ kind: 'tick' }), TICK_MS);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  push(event: HubEvent): void {
    this.#enqueue({ event, done: null });
  }

  /** Resolves when the event's writes are on disk and its effects are out. @throws where the loop has ended instead */
  taken(event: HubEvent): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#enqueue({ event, done: (error) => (error ? reject(error) : resolve()) }),
    );
  }

  #enqueue(waiting: Waiting): void {
    if (this.#isOver) return waiting.done?.(new Error('The hub has stopped.'));
    this.#queue.push(waiting);
    if (this.#queue.length > MAX_QUEUED_EVENTS) this.#ports.pressed(true);
    this.#turn ??= new Promise((resolve) => {
      // After this phase of the event loop, so that everything that has arrived shares the turn.
      setImmediate(() => void this.#run().then(resolve));
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#once();
    this.#turn = null;
  }

  async #once(): Promise<void> {
    const taken = this.#queue.splice(0, MAX_EVENTS_PER_TURN);
    try {
      await this.#turnOf(taken);
    } catch (error) {
      return this.#fail(error instanceof Error ? error : new Error(String(error)), taken);
    }
    for (const { done } of taken) done?.(null);
    if (this.#queue.length <= MAX_QUEUED_EVENTS / 2) this.#ports.pressed(false);
    // Sockets are read between two turns.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #fail(error: Error, taken: readonly Waiting[]): void {
    this.#isOver = true;
    clearInterval(this.#clock);
    this.#ports.failed(error);
    for (const { done } of [...taken, ...this.#queue.splice(0)]) done?.(error);
  }

  async #turnOf(taken: readonly Waiting[]): Promise<void> {
    const { state, store } = this.#ports;
    const nowMs = this.#ports.now();
    const effects = taken.flatMap(({ event }) => step(state, event, nowMs));
    const writes = effects.flatMap((effect) => (effect.kind === 'write' ? [effect.write] : []));
    if (writes.length > 0) await store.commit(writes);
    for (const effect of effects) if (effect.kind !== 'write') this.#ports.carry(effect);
    this.#ports.turned();
  }

  /** Takes what was pushed before, then nothing more. */
  async stop(): Promise<void> {
    clearInterval(this.#clock);
    while (this.#turn) await this.#turn;
    this.#isOver = true;
  }
}
