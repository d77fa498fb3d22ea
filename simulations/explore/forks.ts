/**
 * A terminal whose host runs instances beside each other, as an automaton: what is anchored, the instance that runs from
 * there, and one more that was left behind or went ahead (PROTOCOL.md section 6, Anchor, then release).
 *
 * What an instance lets out, and whether the register follows it, is asked of the real door, with a real sealed record
 * behind it, in every state and for every move: once where the register holds its record, once where it has moved on.
 */

import { decode, encode } from '../../enclave/core/codec.ts';
import { Door } from '../../enclave/core/door.ts';
import type { Bytes32 } from '../../enclave/core/ids.ts';
import { type DoorCall, type DoorReply, doorCallCodec, doorReplyCodec } from '../../enclave/core/interface.ts';
import { newLog, type SealedRecord, sealSnapshot } from '../../enclave/core/seal.ts';
import type { State } from '../../enclave/core/state.ts';
import { MemoryPlatform } from '../enclaves/memory-platform.ts';
import { seededBytes } from '../enclaves/simulated-enclave.ts';
import { type Automaton, pruned, type Transition } from './automaton.ts';
import type { Knowledge } from './knowledge.ts';
import type { Asked } from './local.ts';
import type { Unfolded } from './unfold.ts';

/** What a real door did with one command. */
interface Answer {
  out: bigint;
  /** The register now holds the record of this step. */
  anchored: boolean;
  /** The instance still answers. */
  alive: boolean;
}

/** Beside what runs from the anchored record: an instance in `state`; `level` while the register holds its last record. */
interface Second {
  state: number;
  level: boolean;
}

interface Forked {
  anchored: number;
  second: Second | null;
}

type Option = Omit<Transition, 'next'> & { to: Forked };

interface Terminal {
  self: number;
  unfolded: Unfolded;
  knowledge: Knowledge;
}

export async function forked(terminal: Terminal): Promise<Automaton> {
  const doors = new Doors(terminal);
  const { start, facts } = terminal.unfolded.automaton;
  const all: Forked[] = [{ anchored: start, second: null }];
  const numbers = new Map([[nameOf(all[0] ?? { anchored: start, second: null }), 0]]);
  const transitions: Transition[][] = [];
  for (let from = 0; from < all.length; from++) {
    const state = all[from];
    if (!state) break;
    const found: Transition[] = [];
    for (const { to, ...option } of await doors.optionsAt(state)) {
      const name = nameOf(to);
      const number = numbers.get(name) ?? all.push(to) - 1;
      numbers.set(name, number);
      found.push({ ...option, next: number });
    }
    transitions.push(found);
  }
  const nothing = { exits: 0, paid: 0n, received: 0n, cut: false };
  return { start: 0, facts: all.map(({ anchored }) => facts[anchored] ?? nothing), transitions };
}

const nameOf = ({ anchored, second }: Forked): string =>
  second ? `${anchored} ${second.state} ${second.level}` : String(anchored);

class Doors {
  readonly #self: number;
  readonly #unfolded: Unfolded;
  readonly #automaton: Automaton;
  readonly #knowledge: Knowledge;
  readonly #answers = new Map<string, Answer>();
  readonly #records: (SealedRecord | undefined)[] = [];
  readonly #random = seededBytes('forks');

  constructor({ self, unfolded, knowledge }: Terminal) {
    this.#self = self;
    this.#unfolded = unfolded;
    this.#automaton = pruned(unfolded.automaton, knowledge.owedBy(self));
    this.#knowledge = knowledge;
  }

  async optionsAt({ anchored, second }: Forked): Promise<Option[]> {
    const options: Option[] = [];
    const still = { needs: 0n, claim: null, out: 0n, by: -1 };
    const other = second ? null : { state: anchored, level: true };
    const how = second ? 'stops its second instance' : 'starts a second instance';
    options.push({ ...still, name: `${this.#self}: ${how}`, to: { anchored, second: other } });
    for (const { transition, asked } of this.#steps(anchored)) {
      const { out, anchored: follows } = await this.#answer(anchored, asked, true);
      const ahead = { state: transition.next, level: true };
      const to = follows
        ? { anchored: transition.next, second: second && { ...second, level: false } }
        : { anchored, second: transition.next === anchored ? second : ahead };
      options.push({ ...transition, out, to });
    }
    if (!second) return options;
    for (const { transition, asked } of this.#steps(second.state)) {
      const { out, anchored: follows, alive } = await this.#answer(second.state, asked, second.level);
      const name = transition.name.replace(':', ', second instance:');
      const stays = alive ? { state: transition.next, level: second.level } : null;
      const to = follows ? { anchored: transition.next, second: null } : { anchored, second: stays };
      options.push({ ...transition, name, out, to });
    }
    return options;
  }

  #steps(state: number): { transition: Transition; asked: { index: number; ask: () => Asked } }[] {
    return (this.#automaton.transitions[state] ?? []).flatMap((transition) => {
      const move = this.#unfolded.moves[transition.by];
      return move ? [{ transition, asked: { index: transition.by, ask: () => move.ask() } }] : [];
    });
  }

  async #answer(state: number, asked: { index: number; ask: () => Asked }, level: boolean): Promise<Answer> {
    const key = `${state} ${asked.index} ${level}`;
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = await this.#tryOut(state, asked.ask(), level);
    this.#answers.set(key, answer);
    return answer;
  }

  async #tryOut(state: number, { now, command }: Asked, level: boolean): Promise<Answer> {
    const record = (this.#records[state] ??= this.#seal(this.#unfolded.enclave.at(state)));
    const { log, hash } = record.end;
    const platform = new MemoryPlatform(new Uint8Array(32).fill(7));
    await platform.swapRegister(log, null, hash);
    const door = new Door(platform, this.#random);
    await call(door, { kind: 'load', records: [record.bytes] });
    const opened = await call(door, { kind: 'open' });
    if (opened.kind !== 'opened') throw new Error(`a state that was sealed cannot be opened: ${opened.kind}`);
    const elsewhere = `0x${'e1'.repeat(32)}` as Bytes32;
    if (!level) await platform.swapRegister(log, hash, elsewhere);
    const before = await platform.readRegister(log);
    let reply = await call(door, { kind: 'frame', now, commands: [command] });
    let out = this.#read(reply);
    if (reply.kind === 'sealed') {
      reply = await call(door, { kind: 'durable', recordHash: reply.recordHash });
      out |= this.#read(reply);
    }
    return { out, anchored: (await platform.readRegister(log)) !== before, alive: reply.kind === 'results' };
  }

  #seal(state: State): SealedRecord {
    const { sealingKey } = new MemoryPlatform(new Uint8Array(32).fill(7));
    return sealSnapshot({ sealingKey, random: this.#random }, newLog(this.#random), state);
  }

  #read(reply: DoorReply): bigint {
    if (reply.kind !== 'results') return 0n;
    return reply.results.reduce((set, result) => set | this.#knowledge.learn(this.#self, result), 0n);
  }
}

async function call(door: Door, what: DoorCall): Promise<DoorReply> {
  return decode(doorReplyCodec, await door.call(encode(doorCallCodec, what)));
}
