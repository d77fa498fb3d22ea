/**
 * What a malicious hub and malicious hosts can do to one enclave: every command of the round with every evidence that
 * exists (also reflected, incomplete, of another phase, or none), lists of participants that name one twice, records,
 * exits, consents and reports of settlement with lies where the host is not honest, at any time of day
 * (PROTOCOL.md sections 4 and 5).
 */

import { decode } from '../../enclave/core/codec.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import { ZERO_32 } from '../../enclave/core/ids.ts';
import { aggregate, pairMessageCodec } from '../../enclave/core/pair.ts';
import type { Step } from '../../enclave/core/round-messages.ts';
import type { State } from '../../enclave/core/state.ts';
import { bit, type Knowledge, type Mac, TAGS } from './knowledge.ts';
import type { Asked } from './local.ts';
import { NOW } from './shapes.ts';
import { type ExploredPayment, OUTCOMES, type World } from './world.ts';

/** What an honest host says only where the chain says so. */
export type Claim =
  | { kind: 'outcome'; payment: number; outcome: Outcome }
  | { kind: 'settled'; channel: number; outcomes: (Outcome | null)[] };

/** A command that becomes possible once everything in `needs` is known. */
export interface Move {
  name: string;
  needs: bigint;
  claim: Claim | null;
  /** The channel whose exit is asked for. */
  exits: number | null;
  /** What bounds an endless move: its owner's wish, made once. */
  isWished(state: State): boolean;
  ask(): Asked;
}

const move = (name: string, ask: () => Asked, more: Partial<Move> = {}): Move => ({
  name,
  needs: 0n,
  claim: null,
  exits: null,
  isWished: () => true,
  ask,
  ...more,
});

/** All moves but the delivery of messages, of which nobody knows beforehand how many there will be. */
export function movesOf(world: World, self: number, knowledge: Knowledge): Move[] {
  const { payments } = world;
  const rounds = payments.flatMap((payment, index) =>
    payment.participants.includes(self) ? new RoundMoves(world, knowledge, { self, payment, index }).all() : [],
  );
  const records = payments.flatMap(({ paymentId, participants }, index) =>
    participants.includes(self)
      ? [move(`record of payment ${index}`, () => ({ now: NOW, command: { kind: 'record', paymentId } }))]
      : [],
  );
  const exits = ownChannels(world, self).map(({ channel, index }) =>
    move(`exit of channel ${index}`, () => ({ now: NOW, command: { kind: 'exit', channel } }), { exits: index }),
  );
  return [...rounds, ...records, ...exits, ...claims(world, self), ...directs(world, self), ...sweeps(world)];
}

export const delivery = (number: number, message: Uint8Array): Move =>
  move(`takes ${saidIn(message)}`, () => ({ now: NOW, command: { kind: 'deliver', message } }), { needs: bit(number) });

function saidIn(bytes: Uint8Array): string {
  const { body } = decode(pairMessageCodec, bytes);
  switch (body.kind) {
    case 'consent':
      return `the consent to ${body.outcome} of ${body.paymentId.slice(0, 8)}… on channel ${body.channelId.slice(0, 8)}…`;
    case 'direct':
      return `direct payment ${body.sequence}, of ${body.amount}`;
    case 'directAck':
      return `the acknowledgement of direct payment ${body.sequence}`;
    case 'agree':
    case 'confirm':
      return `a message of kind ${body.kind}`;
  }
}

interface About {
  self: number;
  payment: ExploredPayment;
  index: number;
}

/** Evidence that is handed over as something: by whom it was made, and for whom. */
interface Choice {
  sender: number;
  receiver: number;
}

class RoundMoves {
  readonly #world: World;
  readonly #knowledge: Knowledge;
  readonly #about: About;
  readonly #others: number[];

  constructor(world: World, knowledge: Knowledge, about: About) {
    this.#world = world;
    this.#knowledge = knowledge;
    this.#about = about;
    this.#others = about.payment.participants.filter((each) => each !== about.self);
  }

  all(): Move[] {
    const { expiry } = this.#about.payment.terms;
    const early = this.#at({ now: NOW, when: '' });
    if (this.#world.shape.omits.includes('late')) return early;
    const late = this.#at({ now: expiry + 1, when: ' after expiry' });
    return [...early, ...late];
  }

  #step(name: string, at: { now: number; when: string }, made: { macs?: Mac[]; step: () => Step }): Move {
    const needs = (made.macs ?? []).reduce(
      (set, { tag, payment, sender }) => set | bit(this.#knowledge.evidence(tag, payment, sender)),
      0n,
    );
    const ask = (): Asked => ({ now: at.now, command: { kind: 'step', step: made.step() } });
    return move(`${name}, payment ${this.#about.index}${at.when}`, ask, { needs });
  }

  #at(at: { now: number; when: string }): Move[] {
    const { terms } = this.#about.payment;
    const participants = this.#identities(this.#about.payment.participants);
    return [
      ...this.#prepares(at),
      this.#step('CANCEL', at, { step: () => ({ kind: 'cancel', terms, participants }) }),
      ...this.#aggregated('update', at),
      ...this.#aggregated('complete', at),
      ...this.#single('completeByDone', at),
      ...this.#single('abort', at),
    ];
  }

  #identities = (participants: number[]) => participants.map((each) => this.#world.network.at(each).identity);

  #prepares(at: { now: number; when: string }): Move[] {
    const { self, payment } = this.#about;
    const { terms, participants } = payment;
    const twice = this.#others.map((doubled) => ({
      how: ` with ${doubled} named twice`,
      named: participants.flatMap((each) => (each === doubled ? [each, each] : [each])),
    }));
    const plain = [{ how: '', named: participants }, ...twice].map(({ how, named }) => {
      const identities = this.#identities(named);
      return this.#step(`PREPARE${how}`, at, {
        step: () => ({ kind: 'prepare', terms, participants: identities, preEvidence: null }),
      });
    });
    if (this.#world.shape.prepareLast !== self) return plain;
    const identities = this.#identities(participants);
    const last = this.#choices('PRE').map(({ label, macs }) =>
      this.#step(`PREPARE with ${label}`, at, {
        macs,
        step: () => ({ kind: 'prepare', terms, participants: identities, preEvidence: this.#sum(macs) }),
      }),
    );
    return [...plain, ...last];
  }

  #sum = (macs: Mac[]): Uint8Array => aggregate(macs.map((each) => this.#knowledge.macOf(each)));

  #aggregated(kind: 'update' | 'complete', at: { now: number; when: string }): Move[] {
    const { paymentId } = this.#about.payment;
    return this.#choices(kind === 'update' ? 'PRE' : 'POST').map(({ label, macs }) =>
      this.#step(`${kind.toUpperCase()} with ${label}`, at, {
        macs,
        step: () => ({ kind, paymentId, evidence: this.#sum(macs) }),
      }),
    );
  }

  /** For each other participant: its evidence, one's own evidence to it reflected, or none. */
  #choices(tag: 'PRE' | 'POST'): { label: string; macs: Mac[] }[] {
    const { self, index: payment } = this.#about;
    let all: Choice[][] = [[]];
    for (const other of this.#others) {
      const theirs = { sender: other, receiver: self };
      const reflected = { sender: self, receiver: other };
      all = all.flatMap((chosen) => [[...chosen, theirs], [...chosen, reflected], chosen]);
    }
    return all.map((chosen) => {
      const from = chosen.map(({ sender, receiver }) => (sender === self ? `its own to ${receiver}` : String(sender)));
      const macs = chosen.map((each) => ({ tag, payment, ...each }));
      return { label: `${tag} of ${from.join(' and ') || 'nobody'}`, macs };
    });
  }

  /** One participant's evidence, of the right phase, of another, or none at all. */
  #single(kind: 'completeByDone' | 'abort', at: { now: number; when: string }): Move[] {
    const { self, payment, index } = this.#about;
    const { paymentId } = payment;
    const name = kind === 'abort' ? 'ABORT' : 'COMPLETE';
    return this.#others.flatMap((sender) => {
      const [from] = this.#identities([sender]);
      if (!from) throw new Error('a participant without an identity');
      const made = TAGS.map((tag) => ({
        how: `${tag} of ${sender}`,
        macs: [{ tag, payment: index, sender, receiver: self }],
      }));
      return [...made, { how: `no evidence of ${sender}`, macs: [] }].map(({ how, macs }) =>
        this.#step(`${name} with ${how}`, at, {
          macs,
          step: () => ({ kind, paymentId, from, evidence: this.#sum(macs) }),
        }),
      );
    });
  }
}

const ownChannels = (world: World, self: number) =>
  world.channels.flatMap(({ ends, ...hop }, index) => (ends.a === self || ends.b === self ? [{ ...hop, index }] : []));

/** Consents, and reports that a channel was settled. */
function claims(world: World, self: number): Move[] {
  return ownChannels(world, self).flatMap(({ channelId, index }) => {
    const crossing = world.payments.map(({ terms }) => terms.transfers.some((each) => each.channelId === channelId));
    const consents = world.payments.flatMap(({ paymentId }, payment) =>
      (crossing[payment] ? OUTCOMES : []).map((outcome) =>
        move(
          `consent to ${outcome} of payment ${payment} on channel ${index}`,
          () => ({ now: NOW, command: { kind: 'consent', channelId, paymentId, outcome } }),
          { claim: { kind: 'outcome', payment, outcome } },
        ),
      ),
    );
    if (world.shape.omits.includes('reports')) return consents;
    const reports = reportsOn(crossing).map((outcomes) => {
      const known = world.payments.flatMap(({ paymentId }, payment) => {
        const outcome = outcomes[payment];
        return outcome ? [{ paymentId, outcome }] : [];
      });
      return move(
        `report that channel ${index} settled${outcomes.map((each, payment) => (each ? `, payment ${payment} ${each}` : '')).join('')}`,
        () => ({ now: NOW, command: { kind: 'settled', channelId, outcomes: known } }),
        { claim: { kind: 'settled', channel: index, outcomes } },
      );
    });
    return [...consents, ...reports];
  });
}

/** Every report on the payments that cross a channel: an outcome, or none, for each. */
function reportsOn(crossing: boolean[]): (Outcome | null)[][] {
  let all: (Outcome | null)[][] = [[]];
  for (const crosses of crossing) {
    const possible = crosses ? [null, ...OUTCOMES] : [null];
    all = all.flatMap((given) => possible.map((outcome) => [...given, outcome]));
  }
  return all;
}

function directs(world: World, self: number): Move[] {
  return world.shape.directs.flatMap(({ channel, by, amount }) => {
    const hop = world.channels[channel];
    if (by !== self || !hop) return [];
    const { channelId } = hop;
    const ask = (): Asked => ({ now: NOW, command: { kind: 'direct', channelId, amount, reference: ZERO_32 } });
    const isWished = (state: State): boolean => state.channels.get(channelId)?.directSent === 0;
    return [move(`direct payment of ${amount}`, ask, { isWished })];
  });
}

/** An expired payment that nobody knows is rejected, and moves the clock: what has expired with it may be forgotten. */
function sweeps(world: World): Move[] {
  if (!world.shape.forgetful) return [];
  const [payment] = world.payments;
  if (!payment) return [];
  const participants = payment.participants.map((each) => world.network.at(each).identity);
  const ask = (): Asked => ({
    now: payment.terms.expiry + 1,
    command: { kind: 'step', step: { kind: 'cancel', terms: world.idle, participants } },
  });
  return [move('CANCEL of another, expired payment', ask)];
}
