/**
 * The channel contract, typed: every function and view of contracts/interfaces/IPaymentChannels.sol.
 *
 * Invariant: an instance exists only for a contract that has code, on the chain that was asked for, and derives ids and
 * digests under the same domain as we do (PROTOCOL.md section 9).
 */

import type { Provider, Signer, TransactionRequest } from 'ethers';
import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import { domainSeparator, OUTCOME, type Outcome } from '../enclave/core/encoding.ts';
import {
  type Address,
  address,
  type Bytes32,
  bytes32,
  type ChannelId,
  type Hex,
  NATIVE,
  type PaymentId,
} from '../enclave/core/ids.ts';
import { ChainError, translateError } from './errors.ts';
import {
  exitArgument,
  type SignedExit,
  type StaleExit,
  type StaleTerms,
  staleArgument,
  type TransferProof,
} from './exits.ts';
import { contractInterface } from './interface.ts';
import { chainFingerprint, requireChain } from './rpc.ts';
import { tokenAllowance, tokenInterface } from './token.ts';
import { type SendOptions, type Sent, TransactionSender } from './transactions.ts';

export type { PendingProof, SignedExit, StaleExit, StaleTerms, TransferProof } from './exits.ts';
export type { Sent } from './transactions.ts';

export interface ChannelOnChain {
  status: 'unknown' | 'open' | 'settled';
  /** All deposits of each side; 0 unless open. */
  depositA: bigint;
  depositB: bigint;
}

export interface ConnectOptions extends SendOptions {
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
  readonly #signer: Signer | undefined;
  readonly #sender: TransactionSender | undefined;

  private constructor(found: { chainId: bigint; provider: Provider }, options: ConnectOptions) {
    this.address = options.address;
    this.chainId = found.chainId;
    this.domain = domainSeparator(found.chainId, options.address);
    this.#provider = found.provider;
    this.#signer = options.signer;
    this.#sender = options.signer && new TransactionSender(options.signer, options);
  }

  /** @throws ChainError RPC_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT */
  static async connect(options: ConnectOptions): Promise<PaymentChannels> {
    const provider = options.signer?.provider ?? options.provider;
    if (!provider) throw new TypeError('connect needs a provider, or a signer that has one');
    const { chainId } = await chainFingerprint(provider);
    if (options.chainId !== undefined) requireChain(options.chainId, chainId);
    const channels = new PaymentChannels({ chainId, provider }, options);
    await channels.#requireContract();
    return channels;
  }

  /**
   * Lets the contract fetch `amount` of a token from the signer's account: before `open` and `deposit` of it. Sends
   * nothing where it may already, and takes back a smaller allowance first, as some tokens ask for.
   * @returns the transactions that it took, none to two @throws ContractRevert, ChainError
   */
  async approve(allowance: { token: Address; amount: bigint }): Promise<Sent[]> {
    const { token, amount } = allowance;
    if (!this.#signer) throw new TypeError('approve sends a transaction: connect with a signer');
    const owner = address(await this.#signer.getAddress());
    const allowed = await tokenAllowance(this.#provider, { token, owner, spender: this.address });
    if (allowed >= amount) return [];
    const sent: Sent[] = [];
    for (const each of allowed > 0n ? [0n, amount] : [amount]) {
      const data = tokenInterface.encodeFunctionData('approve', [this.address, each]);
      sent.push(await this.#transact('approve', { to: token, data }));
    }
    return sent;
  }

  /**
   * Opens a channel with a first deposit; on one that is open it is a deposit. A token must have been approved; what
   * arrives of it is credited, which is less than `amount` if the token takes a fee. @throws ContractRevert, ChainError
   */
  open(channel: { identity: ChannelIdentity; side: Side; amount: bigint }): Promise<Sent> {
    return this.#pay('open', channel);
  }

  /** Deposits to a side of an open channel, whoever pays. @throws ContractRevert, ChainError */
  deposit(channel: { identity: ChannelIdentity; side: Side; amount: bigint }): Promise<Sent> {
    return this.#pay('deposit', channel);
  }

  /** Ends a channel by an exit with nothing pending and not stale; for several, hand them to `settle`. @throws ContractRevert, ChainError */
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

  /**
   * Has stale exits wait for the challenge periods of their channels. Settled channels, and channels on which one
   * stands already, are skipped: `staleExit` tells which one stands. @throws ContractRevert, ChainError
   */
  submitStale(exits: readonly SignedExit[]): Promise<Sent> {
    return this.#send('submitStale', [exits.map(exitArgument)]);
  }

  /** Ends channels by the stale exits that waited out their period; settled ones are skipped. @throws ContractRevert, ChainError */
  finalizeStale(exits: readonly StaleTerms[]): Promise<Sent> {
    return this.#send('finalizeStale', [exits.map(staleArgument)]);
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

  /** The stale exit that stands on a channel, undefined where none does or the channel is settled. @throws ChainError */
  async staleExit(id: ChannelId): Promise<StaleExit | undefined> {
    const [finalAt, side, digest] = await this.#read('staleExitOf', [id]);
    if (finalAt === 0n) return undefined;
    return { side: side === 0n ? 'A' : 'B', finalAt: Number(finalAt), digest: bytes32(String(digest)) };
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
    return this.#transact(name, { to: this.address, data: contractInterface.encodeFunctionData(name, args), value });
  }

  async #transact(name: string, request: TransactionRequest): Promise<Sent> {
    if (!this.#sender) throw new TypeError(`${name} sends a transaction: connect with a signer`);
    const { transactionHash, blockNumber, gasUsed } = await this.#sender.send(request);
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
