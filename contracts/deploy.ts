/** Puts the contract on a chain. Anyone may: it has no owner and no parameters, and can never be changed. */

import type { Signer } from 'ethers';
import { type Address, address, type Hex } from '../enclave/core/ids.ts';
import { ChainError } from './errors.ts';
import { paymentChannelsBytecode } from './generated/PaymentChannels.ts';
import { type SendOptions, TransactionSender } from './transactions.ts';

/**
 * @returns after one confirmation; `blockNumber` is where followers of the contract begin
 * @throws ChainError, ContractRevert
 */
export async function deployPaymentChannels(
  signer: Signer,
  options: SendOptions = {},
): Promise<{ address: Address; blockNumber: number; transactionHash: Hex }> {
  const { receipt, transactionHash, blockNumber } = await new TransactionSender(signer, options).send({
    data: paymentChannelsBytecode,
  });
  if (receipt.contractAddress === null) {
    throw new ChainError('NO_CONTRACT', `The transaction ${transactionHash} was mined but made no contract.`);
  }
  return { address: address(receipt.contractAddress), blockNumber, transactionHash };
}
