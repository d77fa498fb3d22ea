/**
 * The enclave as a pure machine: a frame of commands in, results and changes out. No clock, no disk, no randomness of
 * its own; the door (door.ts) seals the changes, anchors them, and only then lets the results go.
 */

import { agree, confirmDeposit, direct, listChannels, resend } from './agreement.ts';
import { apply, type Change } from './changes.ts';
import type { Quote } from './credential.ts';
import { type Decision, decided, type Sources } from './decision.ts';
import { deliver } from './delivery.ts';
import type { Command, Result } from './interface.ts';
import { close, consent, exit, record, settled } from './leaving.ts';
import { cancelInvoice, cancelOrder, invoice, listInvoices, listOrders, order } from './orders.ts';
import { listPayments, receipt, step } from './round.ts';
import {
  deriveAddress,
  introduce,
  ownCertificates,
  ownCredential,
  session,
  setAttestation,
  setPolicy,
} from './self.ts';
import { liftLimit, setLimits, showLimits } from './spending.ts';
import type { State } from './state.ts';

/** What surrounds the state: the quote of this start, and where randomness comes from. */
export interface Surroundings extends Sources {
  quote: Quote;
}

export interface FrameOutcome {
  results: Result[];
  /** What must be sealed before the results may leave; empty: nothing has changed. */
  changes: Change[];
}

/**
 * Carries out the commands of a frame in order, each on the state that the one before left.
 * `now` is the host's clock in unix seconds; the enclave's own never goes back.
 */
export function runFrame(
  state: State,
  frame: { now: number; commands: readonly Command[] },
  around: Surroundings,
): FrameOutcome {
  state.clock = Math.max(state.clock, frame.now);
  const outcome: FrameOutcome = { results: [], changes: [] };
  for (const command of frame.commands) {
    const decision = decide(state, command, around);
    for (const change of decision.changes) apply(state, change);
    outcome.results.push(decision.result());
    outcome.changes.push(...decision.changes);
  }
  return outcome;
}

function decide(state: State, command: Command, around: Surroundings): Decision {
  switch (command.kind) {
    case 'deriveAddress':
      return deriveAddress(state, command, around);
    case 'describe':
      return describe(state, around.quote);
    case 'introduce':
      return introduce(state, command, around);
    case 'setPolicy':
      return setPolicy(state, command, around);
    case 'setAttestation':
      return setAttestation(state, command, around);
    case 'session':
      return session(state, command, around);
    case 'agree':
      return agree(state, command, around);
    case 'confirmDeposit':
      return confirmDeposit(state, command, around);
    case 'deliver':
      return deliver(state, command, around);
    case 'resend':
      return resend(state, command, around);
    case 'direct':
      return direct(state, command, around);
    case 'order':
      return order(state, command, around);
    case 'cancelOrder':
      return cancelOrder(state, command, around);
    case 'setLimits':
      return setLimits(state, command, around);
    case 'liftLimit':
      return liftLimit(state, command, around);
    case 'showLimits':
      return showLimits(state, command, around);
    case 'invoice':
      return invoice(state, command, around);
    case 'cancelInvoice':
      return cancelInvoice(state, command, around);
    case 'step':
      return step(state, command, around);
    case 'receipt':
      return receipt(state, command, around);
    case 'record':
      return record(state, command, around);
    case 'exit':
      return exit(state, command, around);
    case 'close':
      return close(state, command, around);
    case 'consent':
      return consent(state, command, around);
    case 'settled':
      return settled(state, command, around);
    case 'listChannels':
      return listChannels(state, command, around);
    case 'listPayments':
      return listPayments(state, command, around);
    case 'listOrders':
      return listOrders(state, command, around);
    case 'listInvoices':
      return listInvoices(state, command, around);
  }
}

function describe(state: State, quote: Quote): Decision {
  const { policy, attestation } = state;
  return decided({
    kind: 'self',
    credential: ownCredential(state, quote),
    certificates: ownCertificates(state),
    policy,
    attestation,
  });
}
