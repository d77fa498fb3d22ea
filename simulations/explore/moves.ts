/**
 * What a malicious hub and malicious hosts can do to one enclave: every command of the round with every evidence that
 * exists (also reflected, also incomplete), records, exits, consents and reports of settlement with lies where the host
 * is not honest, at any time of day (PROTOCOL.md sections 4 and 5).
 */

import type { Outcome } from '../../enclave/core/encoding.ts';
import type { Command } from '../../enclave/core/interface.ts';
import { aggregate, type EvidenceTag } from '../../enclave/core/pair.ts';
import { type Knowledge, OUTCOMES } from './knowledge.ts';
import type { World } from './shapes.ts';

/** A command that becomes possible once everything in `needs` is known. */
export interface Move {
  name: string;
  needs: number[];
  /** Honest hosts make this move only where the chain says so. */
  claims: { payment: number; outcome: Outcome } | { settled: number; outcomes: (Outcome | null)[] } | null;
  now: number;
  command(): Command;
}

export function movesOf(world: World, self: number, knowledge: Knowledge): Move[] {
  const moves: Move[] = [];
  for (const [payment, { terms, paymentId, participants }] of world.payments.entries()) {
    if (!participants.includes(self)) continue;
    const others = participants.filter((each) => each !== self);
    const named = participants.map((each) => world.network.at(each).identity);
    const times = { '': 1_800_000_000, ' after expiry': terms.expiry + 1 };
    for (const [when, now] of Object.entries(times)) {
      const add = (name: string, needs: number[], command: () => Command): void => {
        moves.push({ name: `${name} ${payment}${when}`, needs, claims: null, now, command });
      };
      add('prepare', [], () => ({
        kind: 'step',
        step: { kind: 'prepare', terms, participants: named, preEvidence: null },
      }));
      add('cancel', [], () => ({ kind: 'step', step: { kind: 'cancel', terms, participants: named } }));
      for (const [kind, tag] of [
        ['update', 'PRE'],
        ['complete', 'POST'],
      ] as const) {
        for (const chosen of choicesOf(others, self)) {
          const needs = chosen.map((each) => knowledge.evidence(tag, payment, each.sender));
          const label = chosen
            .map((each) => (each.sender === self ? `reflected from ${each.receiver}` : `of ${each.sender}`))
            .join(', ');
          add(`${kind} with ${tag} ${label || 'of nobody'} for`, needs, () => ({
            kind: 'step',
            step: {
              kind,
              paymentId,
              evidence: aggregate(chosen.map((each) => knowledge.macOf({ tag, payment, ...each }))),
            },
          }));
        }
      }
      for (const sender of others) {
        const single = (kind: 'completeByDone' | 'abort', tag: EvidenceTag): void => {
          const from = world.network.at(sender).identity;
          add(`${kind} by ${tag} of ${sender} for`, [knowledge.evidence(tag, payment, sender)], () => ({
            kind: 'step',
            step: { kind, paymentId, from, evidence: knowledge.macOf({ tag, payment, sender, receiver: self }) },
          }));
        };
        single('completeByDone', 'DONE');
        single('abort', 'REJECT');
      }
    }
    moves.push({
      name: `record ${payment}`,
      needs: [],
      claims: null,
      now: 1_800_000_000,
      command: () => ({ kind: 'record', paymentId }),
    });
  }
  return [...moves, ...channelMoves(world, self)];
}

interface Mac {
  sender: number;
  receiver: number;
}

/** For each other participant: its evidence, one's own evidence to it reflected, or none. */
function choicesOf(others: number[], self: number): Mac[][] {
  let all: Mac[][] = [[]];
  for (const other of others) {
    const theirs = { sender: other, receiver: self };
    const reflected = { sender: self, receiver: other };
    all = all.flatMap((chosen) => [[...chosen, theirs], [...chosen, reflected], chosen]);
  }
  return all;
}

function channelMoves(world: World, self: number): Move[] {
  const moves: Move[] = [];
  const now = 1_800_000_000;
  for (const [index, { channelId, channel, ends }] of world.channels.entries()) {
    if (ends.a !== self && ends.b !== self) continue;
    moves.push({ name: `exit ${index}`, needs: [], claims: null, now, command: () => ({ kind: 'exit', channel }) });
    const crossing = world.payments.map(({ terms }) => terms.transfers.some((each) => each.channelId === channelId));
    for (const [payment, { paymentId }] of world.payments.entries()) {
      if (!crossing[payment]) continue;
      for (const outcome of OUTCOMES) {
        const command = (): Command => ({ kind: 'consent', channelId, paymentId, outcome });
        moves.push({
          name: `consent ${outcome} on ${index} to ${payment}`,
          needs: [],
          claims: { payment, outcome },
          now,
          command,
        });
      }
    }
    for (const outcomes of outcomesOf(crossing)) {
      const known = world.payments.flatMap(({ paymentId }, payment) => {
        const outcome = outcomes[payment];
        return outcome ? [{ paymentId, outcome }] : [];
      });
      const command = (): Command => ({ kind: 'settled', channelId, outcomes: known });
      moves.push({
        name: `report ${index} settled with ${outcomes.join()}`,
        needs: [],
        claims: { settled: index, outcomes },
        now,
        command,
      });
    }
  }
  return moves;
}

/** Every assignment of outcomes to the payments that cross the channel. */
function outcomesOf(crossing: boolean[]): (Outcome | null)[][] {
  let all: (Outcome | null)[][] = [[]];
  for (const crosses of crossing) {
    all = all.flatMap((given) => (crosses ? OUTCOMES.map((outcome) => [...given, outcome]) : [[...given, null]]));
  }
  return all;
}
