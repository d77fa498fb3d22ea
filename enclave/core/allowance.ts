/**
 * What an owner allowed (PROTOCOL.md section 4): finds the order, invoice or policy that covers the net effect of a
 * payment on this terminal, over the whole payment and per token, or says why none does.
 */

import type { Address, Identity } from './ids.ts';
import { ZERO_32 } from './ids.ts';
import type { PaymentView } from './interface.ts';
import { forwardingFee } from './order.ts';
import type { PaymentTerms } from './payment-terms.ts';
import type { RejectReason } from './round-messages.ts';
import type { State } from './state.ts';

export type Allowance = Pick<PaymentView, 'role' | 'token' | 'amount' | 'payer' | 'payee' | 'invoice' | 'orderId'>;

/** Net gain per terminal and token; the parties of a payment stand for the terminals that certified them. */
export class NetEffects {
  readonly #gains = new Map<Identity, Map<Address, bigint>>();

  constructor(terms: PaymentTerms, ownerOf: (party: Address) => Identity) {
    for (const { payer, payee, token, amount } of terms.transfers) {
      this.#add(ownerOf(payer), token, -amount);
      this.#add(ownerOf(payee), token, amount);
    }
  }

  #add(terminal: Identity, token: Address, gain: bigint): void {
    const gains = this.#gains.get(terminal) ?? new Map<Address, bigint>();
    gains.set(token, (gains.get(token) ?? 0n) + gain);
    this.#gains.set(terminal, gains);
  }

  of(terminal: Identity, token: Address): bigint {
    return this.#gains.get(terminal)?.get(token) ?? 0n;
  }

  tokensOf(terminal: Identity): Address[] {
    return [...(this.#gains.get(terminal)?.keys() ?? [])];
  }

  /** Terminals that lose in some token, ascending. */
  losers(): Identity[] {
    const lose = ([, gains]: [Identity, Map<Address, bigint>]): boolean =>
      [...gains.values()].some((gain) => gain < 0n);
    return [...this.#gains]
      .filter(lose)
      .map(([terminal]) => terminal)
      .sort();
  }
}

export function findAllowance(state: State, terms: PaymentTerms, nets: NetEffects): Allowance | RejectReason {
  const self = state.keyRing.identity;
  if (nets.losers().includes(self)) return asPayer(state, terms, nets);
  if (state.invoices.has(terms.invoice)) return asPayee(state, terms, nets);
  const pays = terms.transfers.some((transfer) => state.keyRing.partyKey(transfer.payer));
  if (pays) return asIntermediary(state, terms, nets);
  if (terms.invoice !== ZERO_32) return 'UNKNOWN_INVOICE';
  return asUninvoicedPayee(state, terms, nets);
}

/** Exactly the order: its payee gains its amount, nobody else loses, and the fees stay within its bound. */
function asPayer(state: State, terms: PaymentTerms, nets: NetEffects): Allowance | RejectReason {
  const self = state.keyRing.identity;
  const entry = state.orders.get(state.index.orderByNonce.get(terms.nonce) ?? ZERO_32);
  if (!entry || entry.status === 'paid') return 'NOT_ORDERED';
  if (entry.status === 'bound') return 'ORDER_IN_USE';
  const { orderId, token, payee, amount, maxFee, invoice, expiry } = entry.order;
  if (terms.invoice !== invoice || terms.expiry !== expiry) return 'NOT_ORDERED';
  if (terms.transfers.some((transfer) => transfer.token !== token)) return 'WRONG_TOKEN';
  if (nets.losers().length !== 1) return 'NOT_ORDERED';
  if (nets.of(payee, token) !== amount) return 'WRONG_AMOUNT';
  const paid = -nets.of(self, token);
  if (paid > amount + maxFee) return 'FEE_TOO_HIGH';
  return { role: 'payer', token, amount: paid, payer: self, payee, invoice, orderId };
}

function asPayee(state: State, terms: PaymentTerms, nets: NetEffects): Allowance | RejectReason {
  const self = state.keyRing.identity;
  const entry = state.invoices.get(terms.invoice);
  if (!entry) return 'UNKNOWN_INVOICE';
  if (entry.status === 'bound') return 'INVOICE_IN_USE';
  if (entry.status === 'paid') return 'UNKNOWN_INVOICE';
  const { token, amount, expiry } = entry.invoice;
  if (expiry < state.clock) return 'EXPIRED';
  const others = nets.tokensOf(self).filter((each) => each !== token);
  if (nets.of(self, token) !== amount || others.some((each) => nets.of(self, each) !== 0n)) return 'WRONG_AMOUNT';
  return {
    role: 'payee',
    token,
    amount,
    payer: payerOf(nets, self),
    payee: self,
    invoice: terms.invoice,
    orderId: null,
  };
}

function asUninvoicedPayee(state: State, terms: PaymentTerms, nets: NetEffects): Allowance | RejectReason {
  if (!state.policy.acceptAnything) return 'NOT_ACCEPTING';
  const self = state.keyRing.identity;
  const [token, ...others] = nets.tokensOf(self);
  if (!token || others.length > 0) return 'WRONG_TOKEN';
  const amount = nets.of(self, token);
  return {
    role: 'payee',
    token,
    amount,
    payer: payerOf(nets, self),
    payee: self,
    invoice: terms.invoice,
    orderId: null,
  };
}

/** Every token that goes out is covered by a policy of that token: size, fee, and quotas of what is pending. */
function asIntermediary(state: State, terms: PaymentTerms, nets: NetEffects): Allowance | RejectReason {
  const self = state.keyRing.identity;
  const payer = payerOf(nets, self);
  const outgoing = new Map<Address, bigint>();
  for (const { payer: party, token, amount } of terms.transfers) {
    if (state.keyRing.partyKey(party)) outgoing.set(token, (outgoing.get(token) ?? 0n) + amount);
  }
  for (const [token, amount] of outgoing) {
    const policy = state.policy.forwarding.find((each) => each.token === token);
    if (!policy || amount < policy.minAmount || amount > policy.maxAmount) return 'FORWARDING_REFUSED';
    if (nets.of(self, token) < forwardingFee(policy, amount)) return 'FEE_TOO_LOW';
    if (countForwarded(state, (about) => about.payer === payer) >= policy.maxPendingPerPayer) return 'TOO_MANY_PENDING';
    for (const peer of incomingPeers(state, terms)) {
      const fromPeer = (about: PaymentView): boolean =>
        about.transfers.some((each) => !each.outgoing && state.channels.get(each.channelId)?.peer === peer);
      if (countForwarded(state, fromPeer) >= policy.maxPendingPerPeer) return 'TOO_MANY_PENDING';
    }
  }
  const [token] = outgoing.keys();
  if (!token) return 'FORWARDING_REFUSED';
  const amount = nets.of(self, token);
  return { role: 'intermediary', token, amount, payer, payee: null, invoice: terms.invoice, orderId: null };
}

/** The terminal that loses; where it is not one alone, the first: quotas then count against it. */
const payerOf = (nets: NetEffects, self: Identity): Identity => nets.losers()[0] ?? self;

function countForwarded(state: State, matches: (about: PaymentView) => boolean): number {
  let count = 0;
  for (const { about } of state.payments.values()) if (about.role === 'intermediary' && matches(about)) count++;
  return count;
}

function incomingPeers(state: State, terms: PaymentTerms): Set<Identity> {
  const peers = new Set<Identity>();
  for (const { channelId, payee } of terms.transfers) {
    const channel = state.keyRing.partyKey(payee) && state.channels.get(channelId);
    if (channel) peers.add(channel.peer);
  }
  return peers;
}
