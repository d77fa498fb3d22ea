/**
 * What the tests of this folder share: a chain with the contract on it, channels between keys that we hold, payments
 * with their proofs, and exits signed as an enclave would sign them.
 */

import { computeAddress, id as hashText, SigningKey, type TransactionRequest, Wallet } from 'ethers';
import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import {
  exitDigest,
  hashChannelIdentity,
  hashPayment,
  hashTransfer,
  merkleProof,
  type Outcome,
  type PendingPhase,
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
  type Hex,
  NATIVE,
  type PaymentId,
} from '../../enclave/core/ids.ts';
import type { PaymentTerms, Transfer } from '../../enclave/core/payment-terms.ts';
import { deployPaymentChannels } from '../deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../development-chain.ts';
import { ContractRevert, translateError } from '../errors.ts';
import { PaymentChannels, type PendingProof, type SignedExit, type TransferProof } from '../payment-channels.ts';
import { openRpc } from '../rpc.ts';

/** A funded key of the development chain that sends transactions. */
export async function signerOf(chain: DevelopmentChain, index: number): Promise<Wallet> {
  const account = chain.accounts[index];
  if (!account) throw new RangeError(`the development chain has no account ${index}`);
  return new Wallet(account.privateKey, await openRpc({ url: chain.url }));
}

export interface Stage {
  chain: DevelopmentChain;
  provider: Awaited<ReturnType<typeof openRpc>>;
  signer: Wallet;
  channels: PaymentChannels;
  /** Block of the contract's deployment. */
  deployedAt: number;
}

/** A fresh chain with the contract on it. The caller stops the chain. */
export async function setStage(): Promise<Stage> {
  const chain = await startDevelopmentChain();
  const signer = await signerOf(chain, 0);
  const deployed = await deployPaymentChannels(signer);
  const channels = await PaymentChannels.connect({ signer, address: deployed.address });
  const provider = await openRpc({ url: chain.url });
  return { chain, provider, signer, channels, deployedAt: deployed.blockNumber };
}

let count = 0;
/** 32 bytes that were not used before in this process and look like a hash: no test meets another's channels. */
const freshHash = (): Bytes32 => bytes32(hashText(`fresh ${++count}`));
const freshKey = (): SigningKey => new SigningKey(freshHash());
const addressOf = (key: SigningKey): Address => address(computeAddress(key));
export const freshAddress = (): Address => address(freshHash().slice(0, 42));

export interface TestChannel {
  identity: ChannelIdentity;
  id: ChannelId;
  keyA: SigningKey;
  keyB: SigningKey;
}

/** A channel that nobody opened yet, for the contract of `domain`. */
export function makeChannel(domain: Bytes32, fields: Partial<ChannelIdentity> = {}): TestChannel {
  const [keyA, keyB] = [freshKey(), freshKey()];
  const identity: ChannelIdentity = {
    partyA: addressOf(keyA),
    partyB: addressOf(keyB),
    payoutA: freshAddress(),
    payoutB: freshAddress(),
    token: NATIVE,
    challengePeriod: 86_400,
    salt: bytes16(freshHash().slice(0, 34)),
    ...fields,
  };
  return { identity, id: hashChannelIdentity(domain, identity), keyA, keyB };
}

export interface Leg {
  channel: TestChannel;
  amount: bigint;
  fromA: boolean;
}

export interface TestPayment {
  id: PaymentId;
  /** Proof of the leg over `channel`. */
  proofFor(channel: TestChannel): TransferProof;
}

/** A payment over `legs`, filled up with transfers of strangers to `size` transfers. */
export function makePayment(domain: Bytes32, legs: readonly Leg[], size = legs.length): TestPayment {
  const own = legs.map((leg): Transfer => {
    const { partyA, partyB, token } = leg.channel.identity;
    const [payer, payee] = leg.fromA ? [partyA, partyB] : [partyB, partyA];
    return { channelId: leg.channel.id, payer, payee, token, amount: leg.amount };
  });
  const strangers = Array.from({ length: size - legs.length }, (): Transfer => {
    const [payer, payee] = [freshAddress(), freshAddress()];
    return { channelId: channelId(freshHash()), payer, payee, token: NATIVE, amount: 1n };
  });
  const transfers = [...own, ...strangers].sort((left, right) => (left.channelId < right.channelId ? -1 : 1));
  const nonce = bytes16(freshHash().slice(0, 34));
  const terms: PaymentTerms = { nonce, invoice: freshHash(), expiry: 1_795_000_000, transfers };
  const leaves = transfers.map(hashTransfer);
  return {
    id: hashPayment(domain, terms),
    proofFor(channel) {
      const index = transfers.findIndex((transfer) => transfer.channelId === channel.id);
      const leg = legs.find((candidate) => candidate.channel === channel);
      if (!leg) throw new RangeError('the payment does not cross this channel');
      const { invoice, expiry } = terms;
      return { nonce, invoice, expiry, proof: merkleProof(leaves, index), amount: leg.amount, fromA: leg.fromA };
    },
  };
}

export const sign = (key: SigningKey, digest: Uint8Array): Hex => key.sign(digest).serialized as Hex;

export interface ExitTerms {
  sentA?: bigint;
  sentB?: bigint;
  stale?: boolean;
  pending?: { payment: TestPayment; phase: PendingPhase }[];
  /** Whoever signs; A where left out. */
  by?: SigningKey;
}

/** An exit of `channel` as the enclave of a party signs it: pending payments ascend by id. */
export function signExit(domain: Bytes32, channel: TestChannel, terms: ExitTerms = {}): SignedExit {
  const { sentA = 0n, sentB = 0n, stale = false, by = channel.keyA } = terms;
  const ordered = [...(terms.pending ?? [])].sort((left, right) => (left.payment.id < right.payment.id ? -1 : 1));
  const proofs = ordered.map(({ payment, phase }): PendingProof => ({ ...payment.proofFor(channel), phase }));
  const entries = ordered.map(({ payment, phase }) => {
    const { amount, fromA } = payment.proofFor(channel);
    return { paymentId: payment.id, amount, fromA, phase };
  });
  const digest = exitDigest(domain, { channelId: channel.id, sentA, sentB, stale, pending: entries });
  return { identity: channel.identity, sentA, sentB, stale, pending: proofs, signature: sign(by, digest) };
}

export function signRecord(
  domain: Bytes32,
  channel: TestChannel,
  record: { payment: TestPayment; outcome: Outcome; by?: SigningKey },
): { identity: ChannelIdentity; payment: TransferProof; outcome: Outcome; signature: Hex } {
  const { payment, outcome, by = channel.keyA } = record;
  const digest = recordDigest(domain, { channelId: channel.id, paymentId: payment.id, outcome });
  return { identity: channel.identity, payment: payment.proofFor(channel), outcome, signature: sign(by, digest) };
}

/** Code of the contract's refusal of a raw transaction. @throws unless it is refused */
export async function refusal(signer: Wallet, request: TransactionRequest): Promise<string> {
  try {
    await signer.estimateGas(request);
  } catch (error) {
    const translated = translateError(error);
    if (translated instanceof ContractRevert) return translated.code;
    throw translated;
  }
  throw new Error('the contract accepted what it should refuse');
}
