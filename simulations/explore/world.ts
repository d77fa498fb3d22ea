/** Builds a shape over real enclaves behind their doors, and takes their states out of their sealed logs. */

import type { Quote } from '../../enclave/core/credential.ts';
import { hashPayment, type Outcome } from '../../enclave/core/encoding.ts';
import { type Address, type Bytes16, type Identity, NATIVE, type PaymentId, ZERO_32 } from '../../enclave/core/ids.ts';
import type { PaymentTerms, Transfer } from '../../enclave/core/payment-terms.ts';
import { recordHash, restore } from '../../enclave/core/seal.ts';
import type { State } from '../../enclave/core/state.ts';
import type { SignedRecord } from '../contract-model.ts';
import type { ResultFor, SimulatedEnclave } from '../enclaves/simulated-enclave.ts';
import { DOMAIN, EVERYTHING, type Hop, SimulatedNetwork, termsOf, transfer } from '../enclaves/simulated-network.ts';
import { DEPOSIT, NOW, type PlannedPayment, type Shape } from './shapes.ts';
import { addStranger, type Forged, forgedBy, recordOfNoPayment, type Stranger, transferToItself } from './stranger.ts';

export const OUTCOMES: readonly Outcome[] = ['VOID', 'APPLIED'];

export interface ExploredPayment {
  terms: PaymentTerms;
  paymentId: PaymentId;
  /** Participants as indexes, in ascending order of identity. */
  participants: number[];
  payer: number;
  payee: number;
  amount: bigint;
  /** Payments of one order have the same number. */
  order: number;
}

export interface World {
  shape: Shape;
  network: SimulatedNetwork;
  /** Of the terminals that are explored. */
  states: State[];
  quotes: Quote[];
  channels: (Hop & { ends: { a: number; b: number } })[];
  payments: ExploredPayment[];
  /** A payment that nobody ordered and that expires first. */
  idle: PaymentTerms;
  forged: Forged[];
  /** Signed by a party of a channel that no payment crosses. */
  strangersRecords: SignedRecord[];
}

export async function buildWorld(shape: Shape): Promise<World> {
  const network = new SimulatedNetwork();
  for (let index = 0; index < shape.terminals; index++) {
    await network.add({ ...EVERYTHING, prepareLast: shape.prepareLast === index });
  }
  const stranger = shape.stranger ? await addStranger(network) : null;
  await network.introduceAll();
  const channels: World['channels'] = [];
  for (const [a, b] of shape.channels) {
    channels.push({ ...(await network.open({ a, b }, { a: DEPOSIT, b: DEPOSIT })), ends: { a, b } });
  }
  const payments = await orderAll(shape, network, { channels, stranger });
  const explored = network.terminals.slice(0, shape.terminals);
  const states = explored.map((terminal) => stateOf(network, terminal));
  const quotes = await Promise.all(explored.map(async (terminal) => (await terminal.credential()).quote));
  const [first] = payments;
  if (!first) throw new Error('a shape without a payment');
  const idle = { ...first.terms, nonce: `0x${'1d'.repeat(16)}` as Bytes16, expiry: NOW + 1 };
  const peers = states.map(({ keyRing }) => ({ identity: keyRing.identity, exchangeKey: keyRing.exchangeKey }));
  const forged = stranger ? forgedBy(stranger, { peers, payments, self: shape.terminals }) : [];
  const strangersRecords = payments.flatMap((each) => OUTCOMES.map((outcome) => recordOfNoPayment(each, outcome)));
  return { shape, network, states, quotes, channels, payments, idle, forged, strangersRecords };
}

function stateOf(network: SimulatedNetwork, { records }: SimulatedEnclave): State {
  const last = records.at(-1);
  if (!last) throw new Error('a terminal without a record');
  return restore(network.platform.sealingKey, records, recordHash(last)).state;
}

interface Built {
  channels: World['channels'];
  stranger: Stranger | null;
}

async function orderAll(shape: Shape, network: SimulatedNetwork, built: Built): Promise<ExploredPayment[]> {
  const orders = new Map<number, ResultFor<'order'>['order']>();
  const payments: ExploredPayment[] = [];
  for (const [index, planned] of shape.payments.entries()) {
    const { payer, payee, amount } = planned;
    const number = planned.retryOf ?? index;
    const order = orders.get(number) ?? (await seal(network, planned));
    orders.set(number, order);
    const terms = termsOf(order, routeOf(planned, built), planned.retryOf === undefined ? 0 : 1);
    const owner = (party: Address): number =>
      built.stranger?.addresses.includes(party)
        ? shape.terminals
        : network.identities.findIndex((own) => own === party);
    const owners = new Set(terms.transfers.flatMap((each) => [owner(each.payer), owner(each.payee)]));
    const identity = (participant: number): Identity => network.at(participant).identity;
    const participants = [...owners].sort((left, right) => (identity(left) < identity(right) ? -1 : 1));
    const paymentId = hashPayment(DOMAIN, terms);
    payments.push({ terms, paymentId, participants, payer, payee, amount, order: number });
  }
  return payments;
}

async function seal(network: SimulatedNetwork, { payer, payee, amount, expiresIn }: PlannedPayment) {
  const { order } = await network.at(payer).terminal.expect('order', {
    kind: 'order',
    payee: network.at(payee).identity,
    token: NATIVE,
    amount,
    maxFee: 0n,
    invoice: ZERO_32,
    expiry: NOW + (expiresIn ?? 60),
  });
  return order;
}

function routeOf({ route }: PlannedPayment, { channels, stranger }: Built): Transfer[] {
  const transfers = route.map(({ channel, from, part }) => {
    const hop = channels[channel];
    if (!hop) throw new RangeError('a shape names a channel that it does not open');
    return transfer(hop, from, part);
  });
  return stranger ? [...transfers, transferToItself(stranger)] : transfers;
}
