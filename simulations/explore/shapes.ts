/**
 * Small worlds to explore: who is joined to whom, and which payments are ordered over them. Every amount is its own
 * power of ten, so that a sum says which payments are in it.
 */

import { hashPayment } from '../../enclave/core/encoding.ts';
import type { PaymentId } from '../../enclave/core/ids.ts';
import type { PaymentTerms } from '../../enclave/core/payment-terms.ts';
import { recordHash, restore } from '../../enclave/core/seal.ts';
import type { State } from '../../enclave/core/state.ts';
import { DOMAIN, type Hop, SimulatedNetwork, transfer } from '../enclaves/simulated-network.ts';

export interface ExploredPayment {
  terms: PaymentTerms;
  paymentId: PaymentId;
  /** Participants as indexes, in ascending order of identity. */
  participants: number[];
  payer: number;
  payee: number;
  amount: bigint;
}

export interface World {
  network: SimulatedNetwork;
  states: State[];
  channels: (Hop & { ends: { a: number; b: number } })[];
  payments: ExploredPayment[];
  deposit: bigint;
}

export const SHAPE_NAMES = ['line', 'crossing', 'split'] as const;
export type ShapeName = (typeof SHAPE_NAMES)[number];

const DEPOSIT = 1000n;

/** Builds a world over real enclaves, then takes their states out of their sealed logs. */
export async function buildWorld(shape: ShapeName, participants: number): Promise<World> {
  const plan = planOf(shape, participants);
  const network = await SimulatedNetwork.of(plan.terminals);
  const channels: World['channels'] = [];
  for (const [a, b] of plan.channels) {
    channels.push({ ...(await network.open({ a, b }, { a: DEPOSIT, b: DEPOSIT })), ends: { a, b } });
  }
  const payments: ExploredPayment[] = [];
  for (const { payer, payee, amount, route } of plan.payments) {
    const transfers = route.map(({ channel, from, part }) => {
      const hop = channels[channel];
      if (!hop) throw new RangeError('the plan names a channel that it does not open');
      return transfer(hop, from, part);
    });
    const terms = await network.order({ payer, payee }, amount, transfers);
    const named = network.participantsOf(terms).map((identity) => network.identities.indexOf(identity));
    payments.push({ terms, paymentId: hashPayment(DOMAIN, terms), participants: named, payer, payee, amount });
  }
  const states = network.terminals.map(({ records }) => {
    const last = records.at(-1);
    if (!last) throw new Error('a terminal without a record');
    return restore(network.platform.sealingKey, records, recordHash(last)).state;
  });
  return { network, states, channels, payments, deposit: DEPOSIT };
}

interface Plan {
  terminals: number;
  channels: [number, number][];
  payments: {
    payer: number;
    payee: number;
    amount: bigint;
    route: { channel: number; from: 'A' | 'B'; part: bigint }[];
  }[];
}

function planOf(shape: ShapeName, participants: number): Plan {
  switch (shape) {
    case 'line': {
      const channels = Array.from({ length: participants - 1 }, (_, index): [number, number] => [index, index + 1]);
      const route = channels.map((_, channel) => ({ channel, from: 'A' as const, part: 100n }));
      return {
        terminals: participants,
        channels,
        payments: [{ payer: 0, payee: participants - 1, amount: 100n, route }],
      };
    }
    case 'crossing':
      return {
        terminals: 2,
        channels: [[0, 1]],
        payments: [
          { payer: 0, payee: 1, amount: 1000n, route: [{ channel: 0, from: 'A', part: 1000n }] },
          { payer: 1, payee: 0, amount: 1100n, route: [{ channel: 0, from: 'B', part: 1100n }] },
        ],
      };
    case 'split':
      return {
        terminals: 3,
        channels: [
          [0, 1],
          [1, 2],
          [0, 2],
        ],
        payments: [
          {
            payer: 0,
            payee: 2,
            amount: 110n,
            route: [
              { channel: 0, from: 'A', part: 100n },
              { channel: 1, from: 'A', part: 100n },
              { channel: 2, from: 'A', part: 10n },
            ],
          },
        ],
      };
  }
}
