/**
 * The frozen encodings of PROTOCOL.md section 9: ids, Merkle tree and EIP-712 digests, equal byte for byte to
 * contracts/libraries (shared vectors: contracts/vectors.json).
 */

import { type ChannelIdentity, channelIdentityCodec } from './channel-identity.ts';
import { encode, toBytes, toHex } from './codec.ts';
import { ascii, concatBytes, keccak256 } from './hash.ts';
import type { Address, Bytes32, ChannelId, PaymentId } from './ids.ts';
import { type PaymentTerms, type Transfer, transferCodec } from './payment-terms.ts';

/** An integer as `width` big-endian bytes. */
function integer(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let at = width - 1, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}

/** An EIP-712 word: an integer or left-padded bytes. */
const word = (value: bigint): Uint8Array => integer(value, 32);
const hashText = (label: string): Uint8Array => keccak256(ascii(label));

const DOMAIN_TYPE = hashText('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)');
const NAME = hashText('Baro');
const VERSION = hashText('1');
const PENDING = 'Pending(bytes32 paymentId,uint128 amount,bool fromA,uint8 phase)';
const PENDING_TYPE = hashText(PENDING);
const EXIT_TYPE = hashText(
  `Exit(bytes32 channelId,uint128 sentA,uint128 sentB,bool stale,Pending[] pending)${PENDING}`,
);
const RECORD_TYPE = hashText('Record(bytes32 channelId,bytes32 paymentId,uint8 outcome)');

/** EIP-712 domain separator: binds every id, signature and key to one contract on one chain. */
export function domainSeparator(chainId: bigint, contract: Address): Bytes32 {
  return toHex(keccak256(DOMAIN_TYPE, NAME, VERSION, word(chainId), word(BigInt(contract)))) as Bytes32;
}

export function hashChannelIdentity(domain: Bytes32, identity: ChannelIdentity): ChannelId {
  return toHex(keccak256(toBytes(domain), encode(channelIdentityCodec, identity))) as ChannelId;
}

/** Merkle leaf of a transfer: 108 bytes are hashed, so a leaf is never taken for a node of 64. */
export function hashTransfer(transfer: Transfer): Bytes32 {
  return toHex(keccak256(encode(transferCodec, transfer))) as Bytes32;
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  const ordered = toHex(left) <= toHex(right);
  return ordered ? keccak256(left, right) : keccak256(right, left);
}

/** One level up: pairs are sorted and hashed as in OpenZeppelin's MerkleProof, an odd node moves up. */
function parents(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const [left, right] = [level[index], level[index + 1]];
    if (left) above.push(right ? hashPair(left, right) : left);
  }
  return above;
}

export function merkleRoot(leaves: readonly Bytes32[]): Bytes32 {
  let level = leaves.map(toBytes);
  while (level.length > 1) level = parents(level);
  const [root] = level;
  if (!root) throw new RangeError('a Merkle tree needs a leaf');
  return toHex(root) as Bytes32;
}

/** Siblings from the leaf at `index` up to the root. */
export function merkleProof(leaves: readonly Bytes32[], index: number): Bytes32[] {
  const proof: Bytes32[] = [];
  for (let level = leaves.map(toBytes), at = index; level.length > 1; level = parents(level), at >>= 1) {
    const sibling = level[at ^ 1];
    if (sibling) proof.push(toHex(sibling) as Bytes32);
  }
  return proof;
}

export function hashPayment(domain: Bytes32, payment: PaymentTerms): PaymentId {
  const root = merkleRoot(payment.transfers.map(hashTransfer));
  const parts = [domain, payment.nonce, payment.invoice].map(toBytes);
  return toHex(keccak256(...parts, integer(BigInt(payment.expiry), 8), toBytes(root))) as PaymentId;
}

/** Phase of a pending payment in an exit; the outcome that it writes has the same number (section 5). */
export const PHASE = { 'PRE-UPDATE': 1, 'POST-UPDATE': 2 } as const;
export const OUTCOME = { VOID: 1, APPLIED: 2 } as const;
export type Outcome = keyof typeof OUTCOME;
export type PendingPhase = keyof typeof PHASE;

export interface ExitPending {
  paymentId: PaymentId;
  amount: bigint;
  /** True where party A pays in this transfer. */
  fromA: boolean;
  phase: PendingPhase;
}

/** What an enclave signs to leave a channel; `sentA` and `sentB` exclude everything pending. */
export interface ExitTerms {
  channelId: ChannelId;
  sentA: bigint;
  sentB: bigint;
  stale: boolean;
  /** Strictly ascending by payment id. */
  pending: ExitPending[];
}

const typedDigest = (domain: Bytes32, structHash: Uint8Array): Uint8Array =>
  keccak256(new Uint8Array([0x19, 0x01]), toBytes(domain), structHash);

/** EIP-712 digest of an exit. */
export function exitDigest(domain: Bytes32, exit: ExitTerms): Uint8Array {
  const pending = exit.pending.map((entry) =>
    keccak256(
      PENDING_TYPE,
      toBytes(entry.paymentId),
      word(entry.amount),
      word(entry.fromA ? 1n : 0n),
      word(BigInt(PHASE[entry.phase])),
    ),
  );
  const structHash = keccak256(
    EXIT_TYPE,
    toBytes(exit.channelId),
    word(exit.sentA),
    word(exit.sentB),
    word(exit.stale ? 1n : 0n),
    keccak256(concatBytes(...pending)),
  );
  return typedDigest(domain, structHash);
}

/** EIP-712 digest of a record: a party of `channelId` has the outcome of a payment that crosses it written. */
export function recordDigest(
  domain: Bytes32,
  record: { channelId: ChannelId; paymentId: PaymentId; outcome: Outcome },
): Uint8Array {
  const structHash = keccak256(
    RECORD_TYPE,
    toBytes(record.channelId),
    toBytes(record.paymentId),
    word(BigInt(OUTCOME[record.outcome])),
  );
  return typedDigest(domain, structHash);
}
