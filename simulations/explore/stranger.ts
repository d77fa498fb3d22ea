/**
 * Somebody without an accepted enclave: a program of its own with genuine signatures but no quote that counts, and a
 * channel of its own that no payment crosses. All its secrets are the adversary's.
 */

import { hashChannelIdentity, type Outcome, recordDigest } from '../../enclave/core/encoding.ts';
import type { Address, Bytes16, ChannelId, PaymentId } from '../../enclave/core/ids.ts';
import { NATIVE, ZERO_32 } from '../../enclave/core/ids.ts';
import { derivePartyKey, sign } from '../../enclave/core/keys.ts';
import { type EvidenceTag, evidence, type PairPeer } from '../../enclave/core/pair.ts';
import type { PaymentTerms, Transfer } from '../../enclave/core/payment-terms.ts';
import { recordHash, restore } from '../../enclave/core/seal.ts';
import type { State } from '../../enclave/core/state.ts';
import type { SignedRecord } from '../contract-model.ts';
import { MemoryPlatform } from '../enclaves/memory-platform.ts';
import { DOMAIN, EVERYTHING, type SimulatedNetwork } from '../enclaves/simulated-network.ts';
import { TAGS } from './knowledge.ts';

export interface Stranger {
  /** As it is before it knows anybody; its keys are in it. */
  state: State;
  /** Its identity, and a second address that it certified. */
  addresses: [Address, Address];
}

/** Evidence that needs no enclave; the bytes by receiver. */
export interface Forged {
  tag: EvidenceTag;
  payment: number;
  sender: number;
  macs: Map<number, Uint8Array>;
}

/** Joins a network under an attestation authority that no policy accepts. */
export async function addStranger(network: SimulatedNetwork): Promise<Stranger> {
  const platform = new MemoryPlatform(new Uint8Array(32).fill(9));
  const terminal = await network.add(EVERYTHING, platform);
  const { address } = await terminal.expect('address', { kind: 'deriveAddress' });
  const last = terminal.records.at(-1);
  if (!last) throw new Error('a terminal without a record');
  const { state } = restore(platform.sealingKey, terminal.records, recordHash(last));
  return { state, addresses: [state.keyRing.identity, address] };
}

/** Makes the stranger a participant without moving anything: over a channel that nobody else can know. */
export function transferToItself({ addresses: [payer, payee] }: Stranger): Transfer {
  return { channelId: ZERO_32 as string as ChannelId, payer, payee, token: NATIVE, amount: 1n };
}

interface Forgery {
  /** By number of terminal. */
  peers: PairPeer[];
  payments: { paymentId: PaymentId; participants: number[] }[];
  self: number;
}

export function forgedBy({ state }: Stranger, { peers, payments, self }: Forgery): Forged[] {
  const sender = state.keyRing.identity;
  return payments.flatMap(({ paymentId, participants }, payment) =>
    TAGS.map((tag) => {
      const macs = new Map<number, Uint8Array>();
      for (const receiver of participants) {
        const peer = peers[receiver];
        if (receiver === self || !peer) continue;
        macs.set(receiver, evidence(state.keyRing.pairKey(peer), tag, { paymentId, sender }));
      }
      return { tag, payment, sender: self, macs };
    }),
  );
}

/** What the contract must refuse: signed by a party of a channel that is not in the payment. */
export function recordOfNoPayment(
  { terms, paymentId }: { terms: PaymentTerms; paymentId: PaymentId },
  outcome: Outcome,
): SignedRecord {
  const secret = new Uint8Array(32).fill(0x66);
  const [own, other] = [derivePartyKey(secret, 0), derivePartyKey(secret, 1)];
  const channel = {
    partyA: own.address,
    partyB: other.address,
    payoutA: own.address,
    payoutB: other.address,
    token: NATIVE,
    challengePeriod: 0,
    salt: `0x${'66'.repeat(16)}` as Bytes16,
  };
  const channelId = hashChannelIdentity(DOMAIN, channel);
  const signature = sign(recordDigest(DOMAIN, { channelId, paymentId, outcome }), own);
  const { nonce, invoice, expiry } = terms;
  return { paymentId, channel, outcome, nonce, invoice, expiry, proof: [], amount: 1n, fromA: true, signature };
}
