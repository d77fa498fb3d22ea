/**
 * The channel contract, typed: every function and view of contracts/interfaces/IPaymentChannels.sol.
 *
 * Invariant: an instance exists only for a contract that has code, on the chain that was asked for, and derives ids and
 * digests under the same domain as we do (PROTOCOL.md section 9).
 */

import type { Provider, Signer } from 'ethers';
import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import { domainSeparator, OUTCOME, type Outcome, type PendingPhase, PHASE } from '../enclave/core/encoding.ts';
import {
  type Address,
  type Bytes16,
  type Bytes32,
  bytes32,
  type ChannelId,
  type Hex,
  NATIVE,
  type PaymentId,
} from '../enclave/core/ids.ts';
import { ChainError, translateError } from './errors.ts';
import { contractInterface } from './interface.ts';
import { chainFingerprint, requireChain } from './rpc.ts';
import { type Sent, TransactionSender } from './transactions.ts';

export type { Sent } from './transactions.ts';

/** A payment's transfer over a channel, and the Merkle proof of that. */
export interface TransferProof {
  nonce: Bytes16;
  invoice: Bytes32;
  /** Unix seconds. */
  expiry: number;
  /** Siblings from the leaf up to the root: `merkleProof` of enclave/core/encoding.ts. */
  proof: readonly Bytes32[];
  amount: bigint;
  /** True where party A pays in this transfer. */
  fromA: boolean;
}

export type PendingProof = TransferProof & { phase: PendingPhase };

/** An exit as an enclave signed it, with what travels unsigned. */
export interface SignedExit {
  identity: ChannelIdentity;
  sentA: bigint;
  sentB: bigint;
  stale: boolean;
  /** Strictly ascending by payment id, at most MAX_PENDING_CONTRACT. */
  pending: readonly PendingProof[];
  /** 65 bytes. */
  signature: Hex;
}

export interface ChannelOnChain {
  status: 'unknown' | 'open' | 'settled';
  /** All deposits of each side; 0 unless open. */
  depositA: bigint;
  depositB: bigint;
}

export interface ConnectOptions {
  /** To read only; with a signer, its own provider is used. */
  provider?: Provider | undefined;
  /** To send as well. Use one instance per key. */
  signer?: Signer | undefined;
  address: Address;
  /** Refuse any other chain. */
  chainId?: bigint | undefined;
}

const statuses = ['unknown', 'open', 'settled'] as const;
const outcomes = [undefined, 'VOID', 'APPLIED'] as const;
const SIDE: Readonly<Record<Side, number>> = { A: 0, B: 1 };

export class PaymentChannels {
  readonly address: Address;
  readonly chainId: bigint;
  /** Domain separator of everything that is signed for this contract. */
  readonly domain: Bytes32;
  readonly #provider: Provider;
  readonly #sender: TransactionSender | undefined;

  private constructor(found: { address: Address; chainId: bigint; provider: Provider; signer: Signer | undefined }) {
    this.address = found.address;
    this.chainId = found.chainId;
    this.domain = domainSeparator(found.chainId, found.address);
    this.#provider = found.provider;
    this.#sender = found.signer && new TransactionSender(found.signer);
  }

  /** @throws ChainError RPC_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT */
  static async connect(options: ConnectOptions): Promise<PaymentChannels> {
    const provider = options.signer?.provider ?? options.provider;
    if (!provider) throw new TypeError('connect needs a provider, or a signer that has one');
    const { chainId } = await chainFingerprint(provider);
    if (options.chainId !== undefined) requireChain(options.chainId, chainId);
    const channels = new PaymentChannels({ address: options.address, chainId, provider, signer: options.signer });
    await channels.#requireContract();
    return channels;
  }

  /** Opens a channel with a first deposit; on one that is open it is a deposit. @throws ContractRevert, ChainError */
  open(channel: { identity: ChannelIdentity; side: Side; amount: bigint }): Promise<Sent> {
    return this.#pay('open', channel);
  }

  /** Deposits to a side of an open channel, whoever pays. @throws ContractRevert, ChainError */
  deposit(channel: { identity: ChannelIdentity; side: Side; amount: bigint }): Promise<Sent> {
    return this.#pay('deposit', channel);
  }

  /** Ends a channel by an exit with nothing pending and not stale. @throws ContractRevert, ChainError */
  close(exit: { identity: ChannelIdentity; sentA: bigint; sentB: bigint; signature: Hex }): Promise<Sent> {
    return this.#send('close', [exit.identity, exit.sentA, exit.sentB, exit.signature]);
  }

  /** Ends channels, writing outcomes that are missing; settled ones are skipped. @throws ContractRevert, ChainError */
  eject(exits: readonly SignedExit[]): Promise<Sent> {
    return this.#send('eject', [exits.map(exitArgument)]);
  }

  /** Ends channels by outcomes that are all recorded; settled ones are skipped. @throws ContractRevert, ChainError */
  settle(exits: readonly SignedExit[]): Promise<Sent> {
    return this.#send('settle', [exits.map(exitArgument)]);
  }

  /** Writes a payment's outcome without leaving the channel; nothing happens where one exists. @throws ContractRevert, ChainError */
  record(record: {
    identity: ChannelIdentity;
    payment: TransferProof;
    outcome: Outcome;
    signature: Hex;
  }): Promise<Sent> {
    const pending = { ...record.payment, phase: OUTCOME[record.outcome] };
    return this.#send('record', [record.identity, pending, record.signature]);
  }

  /** Pays out a whole credit: to the account itself by anyone, elsewhere only by the account. @throws ContractRevert, ChainError */
  withdraw(credit: { account: Address; token?: Address | undefined; to?: Address | undefined }): Promise<Sent> {
    return this.#send('withdraw', [credit.token ?? NATIVE, credit.account, credit.to ?? credit.account]);
  }

  /** @throws ChainError */
  async channel(id: ChannelId): Promise<ChannelOnChain> {
    const [status, depositA, depositB] = await this.#read('channelOf', [id]);
    const known = statuses[Number(status)];
    if (!known) throw new RangeError(`channel status ${String(status)} is unknown to this version`);
    return { status: known, depositA: depositA as bigint, depositB: depositB as bigint };
  }

  /** What `account` can withdraw. @throws ChainError */
  async credit(of: { account: Address; token?: Address | undefined }): Promise<bigint> {
    const [credit] = await this.#read('creditOf', [of.token ?? NATIVE, of.account]);
    return credit as bigint;
  }

  /** @returns undefined where none is recorded @throws ChainError */
  async outcome(id: PaymentId): Promise<Outcome | undefined> {
    const [outcome] = await this.#read('outcomeOf', [id]);
    return outcomes[Number(outcome)];
  }

  #pay(name: 'open' | 'deposit', channel: { identity: ChannelIdentity; side: Side; amount: bigint }): Promise<Sent> {
    const value = channel.identity.token === NATIVE ? channel.amount : 0n;
    return this.#send(name, [channel.identity, SIDE[channel.side], channel.amount], value);
  }

  async #send(name: string, args: readonly unknown[], value = 0n): Promise<Sent> {
    if (!this.#sender) throw new TypeError(`${name} sends a transaction: connect with a signer`);
    const data = contractInterface.encodeFunctionData(name, args);
    const { transactionHash, blockNumber, gasUsed } = await this.#sender.send({ to: this.address, data, value });
    return { transactionHash, blockNumber, gasUsed };
  }

  async #read(name: string, args: readonly unknown[]): Promise<readonly unknown[]> {
    try {
      const data = contractInterface.encodeFunctionData(name, args);
      const answer = await this.#provider.call({ to: this.address, data });
      return contractInterface.decodeFunctionResult(name, answer).toArray() as unknown[];
    } catch (error) {
      throw translateError(error);
    }
  }

  async #requireContract(): Promise<void> {
    const code = await this.#provider.getCode(this.address).catch((error: unknown) => {
      throw translateError(error);
    });
    const domain = code === '0x' ? undefined : await this.#read('domainSeparator', []).catch(keepTrouble);
    if (domain && bytes32(String(domain[0])) === this.domain) return;
    throw new ChainError(
      'NO_CONTRACT',
      code === '0x'
        ? `There is no contract at ${this.address} on chain ${this.chainId}. Check the address, or deploy the contract first.`
        : `The contract at ${this.address} on chain ${this.chainId} is not this version of Baro's. Check the address.`,
    );
  }
}

/** Nothing, where the contract cannot answer; an error, where we could not ask. */
function keepTrouble(error: unknown): undefined {
  if (error instanceof ChainError && error.code === 'RPC_UNREACHABLE') throw error;
  return undefined;
}

const exitArgument = (exit: SignedExit): object => ({
  ...exit,
  pending: exit.pending.map((entry) => ({ ...entry, phase: PHASE[entry.phase] })),
});
