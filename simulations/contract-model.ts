/**
 * What the contract does with exits and records (PROTOCOL.md sections 5 and 9), as pure functions over what was signed:
 * contracts/PaymentChannels.sol in the enclave's own terms. Deposits, credits, times and stale exits are not modelled.
 */

import type { ChannelIdentity } from '../enclave/core/channel-identity.ts';
import { toBytes, toHex } from '../enclave/core/codec.ts';
import {
  exitDigest,
  hashChannelIdentity,
  hashTransfer,
  OUTCOME,
  type Outcome,
  PHASE,
  recordDigest,
} from '../enclave/core/encoding.ts';
import { keccak256 } from '../enclave/core/hash.ts';
import type { Bytes32, ChannelId, Hex, PaymentId } from '../enclave/core/ids.ts';
import type { Result, SignedExit } from '../enclave/core/interface.ts';
import { recoverSigner } from '../enclave/core/keys.ts';
import { MAX_PENDING_CONTRACT } from '../enclave/core/limits.ts';

export type SignedRecord = Extract<Result, { kind: 'record' }>['record'];

/** Errors of the contract, by their names there. */
export type Revert = 'TooManyPending' | 'PendingNotAscending' | 'InvalidSigner' | 'StaleExitMustWait';

export interface ProvenEntry {
  payment: PaymentId;
  amount: bigint;
  fromA: boolean;
  /** What the exit writes where nothing is recorded. */
  writes: Outcome;
}

/** An exit whose signature and proofs hold. */
export interface ProvenExit {
  channel: ChannelId;
  sentA: bigint;
  sentB: bigint;
  entries: ProvenEntry[];
}

export interface ProvenRecord {
  payment: PaymentId;
  outcome: Outcome;
}

type Parts = Pick<SignedRecord, 'nonce' | 'invoice' | 'expiry' | 'proof' | 'amount' | 'fromA' | 'paymentId'>;

/** The id that a payment must have if it has this transfer over this channel: that it is the signed one is the proof. */
function rebuildPayment(domain: Bytes32, identity: ChannelIdentity, parts: Parts): PaymentId {
  const { partyA, partyB, token } = identity;
  const [payer, payee] = parts.fromA ? [partyA, partyB] : [partyB, partyA];
  const channelId = hashChannelIdentity(domain, identity);
  const leaf = toBytes(hashTransfer({ channelId, payer, payee, token, amount: parts.amount }));
  const root = parts.proof.reduce((node, sibling) => hashSorted(node, toBytes(sibling)), leaf);
  const expiry = new Uint8Array(8);
  new DataView(expiry.buffer).setBigUint64(0, BigInt(parts.expiry));
  const fields = [toBytes(domain), toBytes(parts.nonce), toBytes(parts.invoice), expiry, root];
  return toHex(keccak256(...fields)) as PaymentId;
}

const hashSorted = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  toHex(left) < toHex(right) ? keccak256(left, right) : keccak256(right, left);

function isParty(identity: ChannelIdentity, digest: Uint8Array, signature: Hex): boolean {
  const signer = recoverSigner(digest, signature);
  return signer === identity.partyA || signer === identity.partyB;
}

/** What `eject` and `settle` verify before they settle. */
export function proveExit(domain: Bytes32, exit: SignedExit): ProvenExit | Revert {
  if (exit.stale) return 'StaleExitMustWait';
  if (exit.pending.length > MAX_PENDING_CONTRACT) return 'TooManyPending';
  const channelId = hashChannelIdentity(domain, exit.channel);
  const entries: ProvenEntry[] = [];
  let previous = '';
  for (const { phase, ...parts } of exit.pending) {
    const payment = rebuildPayment(domain, exit.channel, parts);
    if (payment <= previous) return 'PendingNotAscending';
    previous = payment;
    const writes = PHASE[phase] === OUTCOME.APPLIED ? 'APPLIED' : 'VOID';
    entries.push({ payment, amount: parts.amount, fromA: parts.fromA, writes });
  }
  const signed = entries.map(({ payment, amount, fromA, writes }) => ({
    paymentId: payment,
    amount,
    fromA,
    phase: writes === 'APPLIED' ? ('POST-UPDATE' as const) : ('PRE-UPDATE' as const),
  }));
  const { sentA, sentB } = exit;
  const digest = exitDigest(domain, { channelId, sentA, sentB, stale: false, pending: signed });
  if (!isParty(exit.channel, digest, exit.signature)) return 'InvalidSigner';
  return { channel: channelId, sentA, sentB, entries };
}

/** What `record` verifies before it writes: a party of the proven channel has signed. */
export function proveRecord(domain: Bytes32, record: SignedRecord): ProvenRecord | Revert {
  const { channel, outcome, signature } = record;
  const payment = rebuildPayment(domain, channel, record);
  const channelId = hashChannelIdentity(domain, channel);
  const digest = recordDigest(domain, { channelId, paymentId: payment, outcome });
  return isParty(channel, digest, signature) ? { payment, outcome } : 'InvalidSigner';
}

/** An outcome is written once. */
export function written(recorded: Outcome | null, claimed: Outcome): Outcome {
  return recorded ?? claimed;
}

export interface Settlement {
  creditA: bigint;
  creditB: bigint;
  /** Outcomes of its payments after it. */
  outcomes: Map<PaymentId, Outcome>;
  /** The sums would give one side more than the channel holds; the credits are clipped to it. */
  overdrawn: boolean;
}

/** `eject`: follows what is recorded, writes what is not, nets and clips once. */
export function eject(
  exit: ProvenExit,
  deposits: { a: bigint; b: bigint },
  recorded: (payment: PaymentId) => Outcome | null,
): Settlement {
  const outcomes = new Map<PaymentId, Outcome>();
  let net = exit.sentA - exit.sentB;
  for (const { payment, amount, fromA, writes } of exit.entries) {
    const outcome = written(recorded(payment), writes);
    outcomes.set(payment, outcome);
    if (outcome === 'APPLIED') net += fromA ? amount : -amount;
  }
  const total = deposits.a + deposits.b;
  const balanceA = deposits.a - net;
  const creditA = balanceA < 0n ? 0n : balanceA > total ? total : balanceA;
  return { creditA, creditB: total - creditA, outcomes, overdrawn: creditA !== balanceA };
}
