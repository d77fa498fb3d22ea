/**
 * Shared test vectors of the frozen encodings (PROTOCOL.md section 9), made from enclave/core/encoding.ts.
 *
 * contracts/vectors.json holds them for every implementation. The inputs are hashes of their names, so they are the
 * same wherever and whenever this runs.
 */

import { id as hashText } from 'ethers';
import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import { toHex } from '../../enclave/core/codec.ts';
import {
  domainSeparator,
  type ExitPending,
  exitDigest,
  hashChannelIdentity,
  hashPayment,
  hashTransfer,
  merkleProof,
  merkleRoot,
  type Outcome,
  recordDigest,
} from '../../enclave/core/encoding.ts';
import {
  type Address,
  address,
  type Bytes32,
  bytes16,
  bytes32,
  type ChannelId,
  channelId,
  NATIVE,
  paymentId,
} from '../../enclave/core/ids.ts';
import { MAX_AMOUNT, MAX_TRANSFERS } from '../../enclave/core/limits.ts';
import type { Transfer } from '../../enclave/core/payment-terms.ts';

const hash = (label: string): Bytes32 => bytes32(hashText(label));
const addressFrom = (label: string): Address => address(hash(label).slice(0, 42));
/** Amounts of every width, zero and the largest among them. */
const amountFrom = (index: number): bigint =>
  index === 1 ? MAX_AMOUNT : BigInt(hash(`amount ${index}`)) % 2n ** BigInt((index * 16) % 129);

const domains = [
  { chainId: 1n, contract: addressFrom('contract 1') },
  { chainId: 31337n, contract: addressFrom('contract 2') },
  { chainId: 2n ** 64n - 1n, contract: address(`0x${'00'.repeat(19)}01`) },
];

const identities: ChannelIdentity[] = [0, 1, 2].map((index) => ({
  partyA: addressFrom(`party A ${index}`),
  partyB: addressFrom(`party B ${index}`),
  payoutA: addressFrom(`payout A ${index}`),
  payoutB: addressFrom(`payout B ${index}`),
  token: index === 0 ? NATIVE : addressFrom(`token ${index}`),
  challengePeriod: [0, 86_400, 0xffff_ffff][index] ?? 0,
  salt: bytes16(hash(`salt ${index}`).slice(0, 34)),
}));

/** A payment of `count` transfers, one of them over the channel of `own`; of the others there are only the leaves. */
function payment(domain: Bytes32, own: { id: ChannelId; identity: ChannelIdentity }, count: number): object {
  const fromA = count % 2 === 0;
  const [payer, payee] = fromA
    ? [own.identity.partyA, own.identity.partyB]
    : [own.identity.partyB, own.identity.partyA];
  const mine: Transfer = { channelId: own.id, payer, payee, token: own.identity.token, amount: amountFrom(count) };
  const others = Array.from({ length: count - 1 }, (_, index): Transfer => {
    const label = `${count}/${index}`;
    return {
      channelId: channelId(hash(`channel ${label}`)),
      payer: addressFrom(`payer ${label}`),
      payee: addressFrom(`payee ${label}`),
      token: NATIVE,
      amount: amountFrom(index),
    };
  });
  const transfers = [mine, ...others].sort((left, right) => (left.channelId < right.channelId ? -1 : 1));
  const leaves = transfers.map(hashTransfer);
  const terms = {
    nonce: bytes16(hash(`nonce ${count}`).slice(0, 34)),
    invoice: count % 5 === 0 ? bytes32(`0x${'00'.repeat(32)}`) : hash(`invoice ${count}`),
    expiry: count === 64 ? Number.MAX_SAFE_INTEGER : 1_795_000_000 + count,
    transfers,
  };
  const index = transfers.indexOf(mine);
  const { nonce, invoice, expiry } = terms;
  return {
    nonce,
    invoice,
    expiry,
    leaves,
    own: { index, fromA, transfer: { ...mine, amount: String(mine.amount) }, proof: merkleProof(leaves, index) },
    root: merkleRoot(leaves),
    paymentId: hashPayment(domain, terms),
  };
}

function exit(domain: Bytes32, id: ChannelId, count: number): object {
  const pending = Array.from(
    { length: count },
    (_, index): ExitPending => ({
      paymentId: paymentId(hash(`pending ${count}/${index}`)),
      amount: amountFrom(index),
      fromA: index % 2 === 0,
      phase: index % 3 === 0 ? 'PRE-UPDATE' : 'POST-UPDATE',
    }),
  ).sort((left, right) => (left.paymentId < right.paymentId ? -1 : 1));
  const sums = { sentA: amountFrom(count + 1), sentB: amountFrom(count + 7), stale: count % 2 === 1 };
  return {
    channelId: id,
    sentA: String(sums.sentA),
    sentB: String(sums.sentB),
    stale: sums.stale,
    pending: pending.map((entry) => ({ ...entry, amount: String(entry.amount) })),
    digest: toHex(exitDigest(domain, { channelId: id, ...sums, pending })),
  };
}

/** What a stale exit of `side` settles to: outcomes as recorded, the rest against that side, clipped to the deposits. */
function staleExit(domain: Bytes32, id: ChannelId, count: number): object {
  const side = count % 2 === 0 ? 'A' : 'B';
  const deposits = { depositA: 1_000n, depositB: BigInt(count) * 400n };
  const sums = { sentA: BigInt(count) * 100n, sentB: 77n };
  const pending = Array.from({ length: count }, (_, index) => ({
    paymentId: paymentId(hash(`stale ${count}/${index}`)),
    amount: index === 5 ? MAX_AMOUNT : BigInt(index + 1) * 11n,
    fromA: index % 2 === 0,
    phase: index % 3 === 0 ? ('PRE-UPDATE' as const) : ('POST-UPDATE' as const),
    recorded: ([null, 'VOID', 'APPLIED', null] as const)[(index + count) % 4] ?? null,
  })).sort((left, right) => (left.paymentId < right.paymentId ? -1 : 1));
  const applied = pending.filter(({ recorded, fromA }) =>
    recorded === null ? fromA === (side === 'A') : recorded === 'APPLIED',
  );
  const net = applied.reduce((sum, { amount, fromA }) => sum + (fromA ? amount : -amount), sums.sentA - sums.sentB);
  const total = deposits.depositA + deposits.depositB;
  const balanceA = deposits.depositA - net;
  const creditA = balanceA < 0n ? 0n : balanceA > total ? total : balanceA;
  const terms = pending.map(({ recorded: _, ...entry }) => entry);
  return {
    channelId: id,
    side,
    depositA: String(deposits.depositA),
    depositB: String(deposits.depositB),
    sentA: String(sums.sentA),
    sentB: String(sums.sentB),
    pending: pending.map((entry) => ({ ...entry, amount: String(entry.amount) })),
    digest: toHex(exitDigest(domain, { channelId: id, ...sums, stale: true, pending: terms })),
    creditA: String(creditA),
    creditB: String(total - creditA),
  };
}

function record(domain: Bytes32, id: ChannelId, outcome: Outcome): object {
  const recorded = paymentId(hash(`recorded ${outcome}`));
  const digest = toHex(recordDigest(domain, { channelId: id, paymentId: recorded, outcome }));
  return { channelId: id, paymentId: recorded, outcome, digest };
}

/** As JSON: amounts are decimal strings. `payments`, `exits`, `staleExits` and `records` hang on the second domain and first channel. */
export function makeVectors(): unknown {
  const separators = domains.map(({ chainId, contract }) => domainSeparator(chainId, contract));
  const domain = separators[1] ?? hash('');
  const [identity] = identities;
  if (!identity) throw new RangeError('the vectors need a channel');
  const own = { id: hashChannelIdentity(domain, identity), identity };
  return {
    domains: domains.map(({ chainId, contract }, index) => ({
      chainId: String(chainId),
      contract,
      domainSeparator: separators[index],
    })),
    channels: separators.flatMap((separator) =>
      identities.map((each) => ({
        domainSeparator: separator,
        identity: each,
        channelId: hashChannelIdentity(separator, each),
      })),
    ),
    payments: Array.from({ length: MAX_TRANSFERS }, (_, index) => payment(domain, own, index + 1)),
    exits: [0, 1, 2, 3, 20].map((count) => exit(domain, own.id, count)),
    staleExits: [0, 1, 2, 3, 4, 5, 6, 9].map((count) => staleExit(domain, own.id, count)),
    records: (['VOID', 'APPLIED'] as const).map((outcome) => record(domain, own.id, outcome)),
  };
}
