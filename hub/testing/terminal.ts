/**
 * A terminal for tests of the hub: answers steps as an enclave does (PROTOCOL.md section 4), with evidence under a key for
 * each pair, and checks every piece of evidence that the hub hands it. Its one address is its identity.
 */

import type { ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import { NATIVE } from '../../enclave/core/ids.ts';
import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import type { ForwardingPolicy, OwnerPolicy } from '../../enclave/core/order.ts';
import { aggregate, type EvidenceTag, evidence } from '../../enclave/core/pair.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import type { RejectReason, Spendable, Step, StepAnswer, StepError } from '../../enclave/core/round-messages.ts';
import type { HubMessage, Introduction, Profile } from '../../enclave/core/wire.ts';
import { bytesNumber } from './names.ts';

const freeForwarding: ForwardingPolicy = {
  token: NATIVE,
  minAmount: 1n,
  maxAmount: MAX_AMOUNT,
  feeBase: 0n,
  feePpm: 0,
  maxPendingPerPeer: 100,
  maxPendingPerPayer: 100,
};

type Phase = 'PRE' | 'POST' | 'DONE' | 'ABORTED' | 'REJECTED';

interface FakePayment {
  phase: Phase;
  reason: RejectReason;
  terms: PaymentTerms;
  participants: readonly Identity[];
}

/** The same 32 bytes on both sides, others for every pair. */
function pairKey(one: Identity, other: Identity): Uint8Array {
  const key = new Uint8Array(32);
  const [smaller, larger] = one < other ? [one, other] : [other, one];
  for (let at = 0; at < 16; at++) {
    key[at] = Number.parseInt(smaller.slice(10 + 2 * at, 12 + 2 * at), 16);
    key[16 + at] = Number.parseInt(larger.slice(10 + 2 * at, 12 + 2 * at), 16);
  }
  return key;
}

const mac = (tag: EvidenceTag, paymentId: PaymentId, ends: { from: Identity; to: Identity }): Uint8Array =>
  evidence(pairKey(ends.from, ends.to), tag, { paymentId, sender: ends.from });

/** What a test wants a terminal to do instead of what an enclave would; undefined: nothing special. */
export type Behaviour = (step: Step, paymentId: PaymentId) => StepAnswer | 'silent' | undefined;

export class FakeTerminal {
  readonly identity: Identity;
  readonly policy: OwnerPolicy;
  /** Balance by channel, without what is locked. */
  readonly balances = new Map<ChannelId, bigint>();
  readonly payments = new Map<PaymentId, FakePayment>();
  readonly known = new Set<Identity>();
  readonly received: HubMessage[] = [];
  behave: Behaviour = () => undefined;
  readonly #idOf: (terms: PaymentTerms) => PaymentId;

  constructor(identity: Identity, idOf: (terms: PaymentTerms) => PaymentId, policy: Partial<OwnerPolicy> = {}) {
    this.identity = identity;
    this.#idOf = idOf;
    this.policy = {
      forwarding: [freeForwarding],
      acceptAnything: true,
      prepareLast: false,
      maxPending: 100,
      ...policy,
    };
  }

  get profile(): Profile {
    return { name: this.identity.slice(-4), payout: NATIVE, policy: this.policy };
  }

  get introduction(): Introduction {
    const signature = `0x${'11'.repeat(65)}` as const;
    const quote = { platform: 'emulated', measurement: bytesNumber(1), authority: NATIVE, signature } as const;
    const credential = { identity: this.identity, exchangeKey: bytesNumber(1), keySignature: signature, quote };
    return { credential, certificates: [] };
  }

  /** A hub's message; @returns what the terminal answers at once, if anything */
  take(message: HubMessage): StepAnswer | null {
    this.received.push(message);
    if (message.kind === 'introduce') this.known.add(message.credential.identity);
    if (message.kind !== 'step') return null;
    const { step } = message;
    const paymentId = 'terms' in step ? this.#idOf(step.terms) : step.paymentId;
    const special = this.behave(step, paymentId);
    if (special === 'silent') return null;
    return special ?? this.answer(step, paymentId);
  }

  answer(step: Step, paymentId: PaymentId): StepAnswer {
    if ('terms' in step) {
      const stranger = step.participants.find((each) => each !== this.identity && !this.known.has(each));
      if (stranger) return this.fail(paymentId, 'UNKNOWN_PARTICIPANT');
    }
    const payment = this.payments.get(paymentId);
    if (!payment) return this.#fresh(step, paymentId);
    if (payment.phase === 'REJECTED')
      return 'terms' in step ? this.#rejected(paymentId, payment) : this.fail(paymentId, 'REJECTED_HERE');
    if (payment.phase === 'ABORTED') return { kind: 'aborted', paymentId, balances: this.spendables(payment.terms) };
    switch (step.kind) {
      case 'prepare':
        return { kind: 'prepared', paymentId, evidence: this.macs('PRE', paymentId), balances: this.#of(paymentId) };
      case 'cancel':
        return this.fail(paymentId, 'ALREADY_PREPARED');
      case 'update':
        if (payment.phase === 'PRE') {
          if (!this.#isProven('PRE', paymentId, step.evidence)) return this.fail(paymentId, 'WRONG_EVIDENCE');
          payment.phase = 'POST';
        }
        return { kind: 'updated', paymentId, evidence: this.macs('POST', paymentId) };
      case 'complete':
        return this.#complete(payment, paymentId, () => this.#isProven('POST', paymentId, step.evidence));
      case 'completeByDone':
        return this.#complete(payment, paymentId, () => this.#isSaidBy('DONE', paymentId, step));
      case 'abort':
        if (payment.phase !== 'PRE') return this.fail(paymentId, 'WRONG_PHASE');
        if (!this.#isSaidBy('REJECT', paymentId, step)) return this.fail(paymentId, 'WRONG_EVIDENCE');
        payment.phase = 'ABORTED';
        return { kind: 'aborted', paymentId, balances: this.#of(paymentId) };
    }
  }

  fail(paymentId: PaymentId, code: StepError): StepAnswer {
    return { kind: 'failed', paymentId, code, message: `${code} at ${this.identity}` };
  }

  reject(step: Step, paymentId: PaymentId, reason: RejectReason): StepAnswer {
    if (!('terms' in step)) throw new Error('only PREPARE and CANCEL are rejected');
    const payment = { phase: 'REJECTED' as const, reason, terms: step.terms, participants: step.participants };
    this.payments.set(paymentId, payment);
    return this.#rejected(paymentId, payment);
  }

  spendable(channelId: ChannelId): bigint {
    let left = this.balances.get(channelId) ?? 0n;
    for (const { phase, terms } of this.payments.values()) {
      if (phase !== 'PRE' && phase !== 'POST') continue;
      for (const each of terms.transfers)
        if (each.channelId === channelId && each.payer === this.identity) left -= each.amount;
    }
    return left;
  }

  /** What has been asked so far, in order. */
  get steps(): Step[] {
    return this.received.flatMap((message) => (message.kind === 'step' ? [message.step] : []));
  }

  macs(tag: EvidenceTag, paymentId: PaymentId): Uint8Array[] {
    return this.#others(paymentId).map((to) => mac(tag, paymentId, { from: this.identity, to }));
  }

  spendables(terms: PaymentTerms): Spendable[] {
    return terms.transfers
      .filter(({ channelId }) => this.balances.has(channelId))
      .map(({ channelId }) => ({ channelId, spendable: this.spendable(channelId) }));
  }

  #others(paymentId: PaymentId): Identity[] {
    return (this.payments.get(paymentId)?.participants ?? []).filter((each) => each !== this.identity);
  }

  #of(paymentId: PaymentId): Spendable[] {
    const payment = this.payments.get(paymentId);
    return payment ? this.spendables(payment.terms) : [];
  }

  #rejected(paymentId: PaymentId, payment: FakePayment): StepAnswer {
    return { kind: 'rejected', paymentId, reason: payment.reason, evidence: this.macs('REJECT', paymentId) };
  }

  #fresh(step: Step, paymentId: PaymentId): StepAnswer {
    if (step.kind === 'cancel') return this.reject(step, paymentId, 'CANCELLED');
    if (step.kind !== 'prepare') return this.fail(paymentId, 'UNKNOWN_PAYMENT');
    for (const transfer of step.terms.transfers) {
      if (transfer.payer !== this.identity) continue;
      const spendable = this.spendable(transfer.channelId);
      if (spendable >= transfer.amount) continue;
      if (spendable + this.#inPost(transfer.channelId) < transfer.amount)
        return this.reject(step, paymentId, 'NOT_ENOUGH_BALANCE');
      return { kind: 'held', paymentId, channelId: transfer.channelId };
    }
    if (this.policy.prepareLast && !step.preEvidence) return { kind: 'needPre', paymentId };
    const payment = { phase: 'PRE' as const, reason: 'CANCELLED' as const, ...step };
    this.payments.set(paymentId, payment);
    if (step.preEvidence && !this.#isProven('PRE', paymentId, step.preEvidence)) {
      this.payments.delete(paymentId);
      return this.fail(paymentId, 'WRONG_EVIDENCE');
    }
    return { kind: 'prepared', paymentId, evidence: this.macs('PRE', paymentId), balances: this.#of(paymentId) };
  }

  #inPost(channelId: ChannelId): bigint {
    let sum = 0n;
    for (const { phase, terms } of this.payments.values()) {
      if (phase !== 'POST') continue;
      for (const each of terms.transfers)
        if (each.channelId === channelId && each.payee === this.identity) sum += each.amount;
    }
    return sum;
  }

  #complete(payment: FakePayment, paymentId: PaymentId, isProven: () => boolean): StepAnswer {
    if (payment.phase === 'PRE') return this.fail(paymentId, 'WRONG_PHASE');
    if (payment.phase === 'POST') {
      if (!isProven()) return this.fail(paymentId, 'WRONG_EVIDENCE');
      payment.phase = 'DONE';
      for (const { channelId, payer, payee, amount } of payment.terms.transfers) {
        const before = this.balances.get(channelId) ?? 0n;
        if (payer === this.identity) this.balances.set(channelId, before - amount);
        if (payee === this.identity) this.balances.set(channelId, before + amount);
      }
    }
    return { kind: 'completed', paymentId, evidence: this.macs('DONE', paymentId), balances: this.#of(paymentId) };
  }

  #isProven(tag: EvidenceTag, paymentId: PaymentId, given: Uint8Array): boolean {
    const wanted = aggregate(this.#others(paymentId).map((from) => mac(tag, paymentId, { from, to: this.identity })));
    return Buffer.compare(wanted, given) === 0;
  }

  #isSaidBy(tag: EvidenceTag, paymentId: PaymentId, given: { from: Identity; evidence: Uint8Array }): boolean {
    const isOther = this.#others(paymentId).includes(given.from);
    return (
      isOther && Buffer.compare(mac(tag, paymentId, { from: given.from, to: this.identity }), given.evidence) === 0
    );
  }
}
