/**
 * The terminal's way to its chain, opened when first needed and again after trouble: the RPC may be dead when the
 * terminal starts. Refuses every chain but the configured one.
 */

import type { JsonRpcProvider, Wallet } from 'ethers';
import { decodeEvent, type ChannelEvent as OnChainEvent } from '../../contracts/events.ts';
import { contractInterface } from '../../contracts/interface.ts';
import { PaymentChannels } from '../../contracts/payment-channels.ts';
import { openRpc } from '../../contracts/rpc.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import { type Address, address, type Hex, NATIVE, type PaymentId } from '../../enclave/core/ids.ts';
import { TerminalRefusal } from '../refusal.ts';

export interface ChainOptions {
  rpcUrl: string;
  chainId: bigint;
  contract: Address;
  /** Pays for gas and deposits. */
  owner: Wallet;
}

export interface OpenChain {
  provider: JsonRpcProvider;
  channels: PaymentChannels;
}

export class ChainConnection {
  readonly #options: ChainOptions;
  #opening: Promise<OpenChain> | null = null;

  constructor(options: ChainOptions) {
    this.#options = options;
  }

  get account(): Address {
    return address(this.#options.owner.address);
  }

  /** One connection for all; a failed attempt is not kept. @throws ChainError RPC_UNREACHABLE, WRONG_CHAIN, NO_CONTRACT */
  open(): Promise<OpenChain> {
    if (!this.#opening) {
      const opening = this.#connect();
      this.#opening = opening;
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = null;
      });
    }
    return this.#opening;
  }

  async #connect(): Promise<OpenChain> {
    const { rpcUrl, chainId, contract, owner } = this.#options;
    const provider = await openRpc({ url: rpcUrl, chainId });
    try {
      const channels = await PaymentChannels.connect({ signer: owner.connect(provider), address: contract, chainId });
      return { provider, channels };
    } catch (error) {
      provider.destroy();
      throw error;
    }
  }

  /** What the owner's account itself holds of a token. Other tokens than the native coin are not held on chain yet. */
  async onChain(token: Address): Promise<bigint> {
    if (token !== NATIVE) return 0n;
    const { provider } = await this.open();
    return provider.getBalance(this.account);
  }

  /** A payment's outcome as of a block: the newest blocks may still be undone. */
  async outcomeAt(paymentId: PaymentId, blockNumber: number): Promise<Outcome | null> {
    const { provider } = await this.open();
    const data = contractInterface.encodeFunctionData('outcomeOf', [paymentId]);
    const answer = await provider.call({ to: this.#options.contract, data, blockTag: blockNumber });
    const [outcome] = contractInterface.decodeFunctionResult('outcomeOf', answer).toArray() as unknown[];
    return ([null, 'VOID', 'APPLIED'] as const)[Number(outcome)] ?? null;
  }

  /** The contract's events in one transaction. */
  async eventsOf(transactionHash: Hex): Promise<OnChainEvent[]> {
    const { provider } = await this.open();
    const receipt = await provider.getTransactionReceipt(transactionHash);
    if (!receipt) {
      throw new TerminalRefusal({
        code: 'CHAIN_UNREACHABLE',
        message: `The transaction ${transactionHash} was mined, but the RPC does not have its receipt now. Look again in a moment.`,
      });
    }
    const own = receipt.logs.filter((log) => address(log.address) === this.#options.contract);
    return own.map(decodeEvent);
  }

  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null);
    this.#opening = null;
    opened?.provider.destroy();
  }
}
