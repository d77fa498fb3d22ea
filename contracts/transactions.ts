/**
 * Sends one transaction after the other from one key, and waits until each is in a block.
 *
 * Invariants: nonces are taken one at a time, so two calls at once never race for one (give each key a single sender);
 * what the contract would refuse is found before anything is sent; a refusal that is mined all the same is decoded too.
 */

import { isCallException, type Provider, type Signer, type TransactionReceipt, type TransactionRequest } from 'ethers';
import type { Hex } from '../enclave/core/ids.ts';
import { ChainError, decodeRevert, translateError } from './errors.ts';

export interface Sent {
  transactionHash: Hex;
  blockNumber: number;
  gasUsed: bigint;
}

/** Chains refuse a transaction with a higher limit (EIP-7825). */
const MAX_GAS = 1n << 24n;
/** Between estimate and block, credits may have been withdrawn or outcomes reorganised away: their slots cost more. */
const GAS_MARGIN_PERCENT = 25n;
const GAS_MARGIN = 40_000n;

const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 1_000;
const WAIT_MS = 180_000;

export interface SendOptions {
  /** How long a transaction may take into a block before NOT_MINED, in milliseconds; 180,000 where undefined. */
  waitMs?: number | undefined;
}

export class TransactionSender {
  readonly #signer: Signer;
  readonly #provider: Provider;
  readonly #waitMs: number;
  /** Ends when the transaction before has been handed to the chain, whether it was taken or not. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws TypeError for a signer without a provider */
  constructor(signer: Signer, options: SendOptions = {}) {
    if (!signer.provider) throw new TypeError('the signer of a transaction must be connected to a provider');
    this.#signer = signer;
    this.#provider = signer.provider;
    this.#waitMs = options.waitMs ?? WAIT_MS;
  }

  /**
   * @returns after one confirmation
   * @throws ContractRevert, ChainError RPC_UNREACHABLE, RPC_REFUSED, INSUFFICIENT_FUNDS, NOT_MINED
   */
  async send(request: TransactionRequest): Promise<Sent & { receipt: TransactionReceipt }> {
    const submitted = this.#turn.then(() => this.#submit(request));
    this.#turn = submitted.catch(() => undefined);
    const hash = await submitted;
    const receipt = await this.#mined(hash);
    if (receipt.status === 0) throw await this.#whyReverted(request, receipt);
    return { transactionHash: hash, blockNumber: receipt.blockNumber, gasUsed: receipt.gasUsed, receipt };
  }

  async #submit(request: TransactionRequest): Promise<Hex> {
    try {
      const estimate = await this.#signer.estimateGas(request);
      const wanted = estimate + (estimate * GAS_MARGIN_PERCENT) / 100n + GAS_MARGIN;
      const gasLimit = wanted > MAX_GAS ? MAX_GAS : wanted;
      return (await this.#signer.sendTransaction({ ...request, gasLimit })).hash as Hex;
    } catch (error) {
      throw translateError(error);
    }
  }

  async #mined(hash: Hex): Promise<TransactionReceipt> {
    const deadline = Date.now() + this.#waitMs;
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LAST_POLL_MS)) {
      let trouble: unknown;
      try {
        const receipt = await this.#provider.getTransactionReceipt(hash);
        if (receipt) return receipt;
      } catch (error) {
        trouble = error;
      }
      if (Date.now() > deadline) {
        throw new ChainError(
          'NOT_MINED',
          `The transaction ${hash} was sent but is in no block after ${this.#waitMs / 1000} s. It may still be mined: look it up before sending again.`,
          trouble,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Plays the call again where it failed: receipts do not tell why. */
  async #whyReverted(request: TransactionRequest, receipt: TransactionReceipt): Promise<Error> {
    const hash = receipt.hash as Hex;
    try {
      await this.#provider.call({ ...request, from: receipt.from, blockTag: receipt.blockNumber });
      return decodeRevert(null, undefined, hash);
    } catch (error) {
      return isCallException(error) ? decodeRevert(error.data, error, hash) : translateError(error);
    }
  }
}
