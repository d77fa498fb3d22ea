/** What an enclave forgets, and what it must never forget (PROTOCOL.md section 4, Clock). */
import { beforeAll, describe, expect, it } from 'vitest';
import { seededBytes } from '../../simulations/enclaves/simulated-enclave.ts';
import { type Hop, SimulatedNetwork, transfer } from '../../simulations/enclaves/simulated-network.ts';
import { apply, type Change } from './changes.ts';
import { toHex } from './codec.ts';
import { type Bytes16, type PaymentId, ZERO_32 } from './ids.ts';
import type { Command } from './interface.ts';
import { MAX_CHAIN_RESOLVED, MAX_TOMBSTONES } from './limits.ts';
import { runFrame } from './machine.ts';
import type { PaymentTerms } from './payment-terms.ts';
import { recordHash, restore } from './seal.ts';
import { decodeState, encodeState, type State } from './state.ts';

const random = seededBytes('memory');
let network: SimulatedNetwork;
let hop: Hop;
let pristine: Uint8Array;

beforeAll(async () => {
  network = await SimulatedNetwork.of(2);
  hop = await network.open({ a: 0, b: 1 }, { a: 1000n, b: 1000n });
  const { records } = network.at(1).terminal;
  pristine = encodeState(
    restore(network.platform.sealingKey, records, recordHash(records.at(-1) ?? new Uint8Array())).state,
  );
});

/** The payee's state, to be changed freely. */
const payee = (): State => {
  const state = decodeState(pristine);
  state.clock = 1_800_000_000;
  return state;
};

const terms = (expiry: number): PaymentTerms => ({
  nonce: toHex(random(16)) as Bytes16,
  invoice: ZERO_32,
  expiry,
  transfers: [transfer(hop, 'A', 1n)],
});

async function ask(state: State, command: Command) {
  const quote = (await network.at(1).terminal.credential()).quote;
  const [result] = runFrame(state, { now: state.clock, commands: [command] }, { quote, random }).results;
  if (result?.kind !== 'step') throw new Error('no step was answered');
  return result.answer;
}

async function prepared(state: State, payment: PaymentTerms): Promise<PaymentId> {
  const participants = network.participantsOf(payment);
  const answer = await ask(state, {
    kind: 'step',
    step: { kind: 'prepare', terms: payment, participants, preEvidence: null },
  });
  expect(answer.kind).toBe('prepared');
  return answer.paymentId;
}

describe('forgetting', () => {
  it('raises the watermark when an id goes that the chain ended, and then judges nothing up to it, expired or not', async () => {
    const state = payee();
    const first = terms(state.clock + 100);
    const target = await prepared(state, first);
    apply(state, { kind: 'resolved', channelId: hop.channelId, paymentId: target, outcome: 'VOID' });
    for (let count = 0; count < MAX_CHAIN_RESOLVED; count++) {
      const paymentId = await prepared(state, terms(state.clock + 200));
      const resolved: Change = { kind: 'resolved', channelId: hop.channelId, paymentId, outcome: 'VOID' };
      apply(state, resolved);
    }
    expect(state.resolved.has(target)).toBe(false);
    expect(state.watermark).toBe(first.expiry);
    const participants = network.participantsOf(first);
    const cancel: Command = { kind: 'step', step: { kind: 'cancel', terms: first, participants } };
    expect(await ask(state, cancel)).toMatchObject({ kind: 'failed', code: 'FORGOTTEN' });
    const prepare: Command = { kind: 'step', step: { kind: 'prepare', terms: first, participants, preEvidence: null } };
    expect(await ask(state, prepare)).toMatchObject({ kind: 'failed', code: 'FORGOTTEN' });
    state.clock = first.expiry + 1;
    expect(await ask(state, cancel)).toMatchObject({ kind: 'failed', code: 'FORGOTTEN' });
  });

  it('forgets a rejected payment only after its expiry, and then rejects it again', async () => {
    const state = payee();
    const old = terms(state.clock + 10);
    const cancel: Command = {
      kind: 'step',
      step: { kind: 'cancel', terms: old, participants: network.participantsOf(old) },
    };
    const rejected = await ask(state, cancel);
    const fill = (count: number, expiry: number): void => {
      for (let index = 0; index < count; index++) {
        apply(state, {
          kind: 'rejected',
          paymentId: toHex(random(32)) as PaymentId,
          expiry,
          reason: 'CANCELLED',
          others: [],
        });
      }
    };
    fill(MAX_TOMBSTONES / 8, state.clock + 500);
    expect(state.tombstones.has(rejected.paymentId)).toBe(true);
    state.clock += 11;
    fill(MAX_TOMBSTONES / 8, state.clock + 500);
    expect(state.tombstones.has(rejected.paymentId)).toBe(false);
    expect(await ask(state, cancel)).toMatchObject({ kind: 'rejected' });
  });

  it('judges nothing more when its memory is full, until something has expired', async () => {
    const state = payee();
    for (let index = 0; index < MAX_TOMBSTONES; index++) {
      const paymentId = toHex(random(32)) as PaymentId;
      apply(state, { kind: 'rejected', paymentId, expiry: state.clock + 10, reason: 'CANCELLED', others: [] });
    }
    const next = terms(state.clock + 100);
    const prepare: Command = {
      kind: 'step',
      step: { kind: 'prepare', terms: next, participants: network.participantsOf(next), preEvidence: null },
    };
    expect(await ask(state, prepare)).toMatchObject({ kind: 'failed', code: 'TOMBSTONES_FULL' });
    state.clock += 11;
    expect(await ask(state, prepare)).toMatchObject({ kind: 'failed', code: 'TOMBSTONES_FULL' });
    expect((await ask(state, prepare)).kind).toBe('prepared');
  });
});
