import { expect, test } from 'vitest';
import { MAX_QUEUED_EVENTS } from './core/limits.ts';
import type { StoreWrite } from './core/records.ts';
import { defaultSettings, newState } from './core/state.ts';
import { type Carried, Loop } from './loop.ts';
import { MemoryStore } from './store/memory.ts';
import { StoreError } from './store/store.ts';
import { channelNumber, terminalNumber } from './testing/names.ts';
import { deployment } from './testing/network.ts';
import { FakeTerminal } from './testing/terminal.ts';

/** A store that tells when it is asked, and can be made to fail. */
class WatchedStore extends MemoryStore {
  readonly happened: string[];
  fails = false;

  constructor(happened: string[]) {
    super();
    this.happened = happened;
  }

  override async commit(writes: readonly StoreWrite[]): Promise<void> {
    this.happened.push(`commit of ${writes.length}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.fails) throw new StoreError('FAILED', 'the disk is full');
    await super.commit(writes);
    this.happened.push('committed');
  }
}

function made() {
  const happened: string[] = [];
  const store = new WatchedStore(happened);
  const failures: Error[] = [];
  const pressed = new Set<boolean>();
  const loop = new Loop({
    state: newState(deployment, defaultSettings, 0),
    store,
    now: () => 1,
    carry: (effect: Carried) => happened.push(effect.kind),
    turned: () => happened.push('turned'),
    pressed: (isPressed) => pressed.add(isPressed),
    failed: (error) => failures.push(error),
  });
  const connect = (number: number): Promise<void> => {
    const { introduction, profile } = new FakeTerminal(terminalNumber(number), () => channelNumber(1) as never);
    return loop.taken({ kind: 'connected', session: number, introduction, profile });
  };
  return { loop, store, happened, failures, pressed, connect };
}

test('events that arrive together share one commit, and nothing is sent before it', async () => {
  const { loop, happened, connect } = made();
  await Promise.all([connect(1), connect(2), connect(3)]);
  expect(happened).toEqual(['commit of 3', 'committed', 'send', 'send', 'send', 'turned']);
  await loop.stop();
});

test('a commit that fails sends nothing, ends the loop and leaves nobody waiting', async () => {
  const { loop, store, happened, failures, connect } = made();
  store.fails = true;
  await expect(connect(1)).rejects.toThrow('the disk is full');
  expect(happened).toEqual(['commit of 1']);
  expect(failures.map((error) => error.message)).toEqual(['the disk is full']);
  await expect(connect(2)).rejects.toThrow('stopped');
  expect(happened).toEqual(['commit of 1']);
  await loop.stop();
});

test('when more events wait than should, reading stops until the loop has caught up', async () => {
  const { loop, pressed } = made();
  for (let count = 0; count <= MAX_QUEUED_EVENTS; count++) loop.push({ kind: 'disconnected', session: count });
  expect([...pressed]).toEqual([true]);
  await loop.taken({ kind: 'tick' });
  expect([...pressed]).toEqual([true, false]);
  await loop.stop();
});
