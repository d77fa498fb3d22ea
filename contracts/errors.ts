/**
 * What can go wrong between us and a chain: an operating error with a code, or the contract's own refusal.
 *
 * Invariant: whoever catches one of these can tell from `code` whether waiting helps (the RPC), the configuration is
 * wrong (the chain, the contract), or the contract will never agree (a ContractRevert).
 */

import { isCallException, isError } from 'ethers';
import type { Hex } from '../enclave/core/ids.ts';
import { contractInterface } from './interface.ts';

export type ChainErrorCode =
  | 'RPC_UNREACHABLE'
  | 'RPC_REFUSED'
  | 'WRONG_CHAIN'
  | 'NO_CONTRACT'
  | 'NOT_MINED'
  | 'INSUFFICIENT_FUNDS'
  | 'DEEP_REORG'
  | 'PORT_IN_USE'
  | 'CHAIN_NOT_STARTED';

/** An operating error of the chain or of the way to it. */
export class ChainError extends Error {
  readonly code: ChainErrorCode;

  constructor(code: ChainErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ChainError';
    this.code = code;
  }
}

/** The contract refused a call. `code` is the name of its custom error, or REVERTED where it gave no reason. */
export class ContractRevert extends Error {
  readonly code: string;
  /** Arguments of the custom error by name, as decimal or hex text. */
  readonly facts: Readonly<Record<string, string>>;
  /** Set where the refusal was mined; undefined where it was found before sending. */
  readonly transactionHash: Hex | undefined;

  constructor(
    refusal: { code: string; facts: Record<string, string>; transactionHash?: Hex | undefined },
    cause?: unknown,
  ) {
    super(sentence(refusal.code, refusal.facts), { cause });
    this.name = 'ContractRevert';
    this.code = refusal.code;
    this.facts = refusal.facts;
    this.transactionHash = refusal.transactionHash;
  }
}

type Facts = Readonly<Record<string, string>>;
const fact = (facts: Facts, name: string): string => facts[name] ?? '?';

/** One for each custom error of IPaymentChannels.sol: what happened, why, what to do next. */
const sentences: Readonly<Record<string, (facts: Facts) => string>> = {
  InvalidIdentity: () =>
    'This channel cannot be opened: its parties must differ and none of its addresses may be zero. Agree on another identity.',
  UnsupportedToken: (facts) =>
    `${fact(facts, 'token')} is no ERC-20 token on this chain: it does not tell balances. Check its address.`,
  TokenRefused: (facts) =>
    `The token ${fact(facts, 'token')} did not hand over ${fact(facts, 'amount')} base units of ${fact(facts, 'owner')}. Check that the account holds them and has approved this contract; the token itself may also refuse.`,
  ReentrancyGuardReentrantCall: () =>
    'The token tried to deposit from within another deposit, which would be counted twice. Deposit in calls of their own.',
  WrongValue: (facts) =>
    `${fact(facts, 'amount')} base units of the native coin belong to this deposit but ${fact(facts, 'value')} were sent along. Send exactly what belongs to it: the deposit, and nothing where the channel holds a token.`,
  ZeroDeposit: () =>
    'Nothing would be deposited. Deposit at least one base unit; of a token that takes a fee on transfer, so much that something arrives.',
  DepositTooLarge: (facts) =>
    `A channel holds at most 2^128 - 1 base units; ${fact(facts, 'amount')} more do not fit into ${fact(facts, 'id')}. Open another channel.`,
  UnknownChannel: (facts) =>
    `No channel ${fact(facts, 'id')} was opened in this contract. Check every field of its identity, or open it first.`,
  ChannelSettled: (facts) =>
    `The channel ${fact(facts, 'id')} is settled and its id is used up. Withdraw the credit; open a channel with another salt.`,
  InvalidSignature: (facts) =>
    `The signature is not one by a party of this channel for this contract and chain (it recovers to ${fact(facts, 'signer')}). Ask the enclave to sign again.`,
  StaleExitMustWait: (facts) =>
    `An exit marked stale settles nothing at once (channel ${fact(facts, 'id')}). Submit it, and finalise it after the challenge period.`,
  ExitNotStale: (facts) =>
    `Only exits marked stale are submitted to wait (channel ${fact(facts, 'id')}). Eject or settle with this one: it needs no waiting.`,
  StaleExitsExcluded: (facts) =>
    `The channel ${fact(facts, 'id')} was agreed without stale exits (its challenge period is 0). Ask the peer to close it: its payout goes to your own address.`,
  NoStaleExit: (facts) => `No stale exit stands on the channel ${fact(facts, 'id')}. Submit one first.`,
  ChallengePeriodRunning: (facts) =>
    `The challenge period of the channel ${fact(facts, 'id')} runs until ${fact(facts, 'finalAt')} (unix seconds, block time). Finalise after that.`,
  StaleExitMismatch: (facts) =>
    `These are not the terms of the stale exit that stands on the channel ${fact(facts, 'id')}. Take them from the event of its submission.`,
  TooManyPending: (facts) =>
    `An exit settles at most 400 pending payments, this one has ${fact(facts, 'count')} (channel ${fact(facts, 'id')}). Have some recorded and resolved first.`,
  PendingNotAscending: (facts) =>
    `The pending payments of the exit do not ascend by id (at ${fact(facts, 'payment')}). Submit them as the enclave listed them.`,
  InvalidPhase: (facts) => `A phase is 1 (PRE-UPDATE) or 2 (POST-UPDATE), not ${fact(facts, 'phase')}.`,
  OutcomeMissing: (facts) =>
    `The payment ${fact(facts, 'payment')} has no outcome on chain to follow. Eject instead of settling, or record its outcome first.`,
  NothingToWithdraw: (facts) =>
    `${fact(facts, 'account')} has no credit of token ${fact(facts, 'token')} in this contract. Its channels are not settled yet, or it was withdrawn already.`,
  NotAccount: (facts) =>
    `Only ${fact(facts, 'account')} itself may have its credit sent to another address; ${fact(facts, 'caller')} called. Withdraw to the account, or call from it.`,
  InvalidReceiver: () => 'Coins sent to the zero address would be lost. Name the address that shall receive them.',
  TransferFailed: (facts) =>
    `${fact(facts, 'to')} refused the ${fact(facts, 'amount')} base units; the credit is unchanged. If it is a contract that takes no coins, withdraw to another address from it.`,
};

function sentence(code: string, facts: Facts): string {
  const known = sentences[code];
  if (known) return known(facts);
  return `The contract refused the call without a reason that this version knows (${code}). Check that contract and program are of the same version.`;
}

/** Codes that this version has a sentence for: the names of all custom errors of the contract. */
export const revertCodes: readonly string[] = Object.keys(sentences);

/** The contract's refusal from the data of a reverted call. */
export function decodeRevert(data: string | null, cause?: unknown, transactionHash?: Hex): ContractRevert {
  const parsed = data === null || data === '0x' ? null : contractInterface.parseError(data);
  if (!parsed) return new ContractRevert({ code: 'REVERTED', facts: {}, transactionHash }, cause);
  const facts: Record<string, string> = {};
  for (const [index, input] of parsed.fragment.inputs.entries()) facts[input.name] = String(parsed.args[index]);
  return new ContractRevert({ code: parsed.name, facts, transactionHash }, cause);
}

/** Whatever ethers or fetch threw, as one of the errors above. Programmer errors pass through unchanged. */
export function translateError(error: unknown): Error {
  if (error instanceof ChainError || error instanceof ContractRevert) return error;
  if (isCallException(error)) return decodeRevert(error.data, error);
  if (isError(error, 'INSUFFICIENT_FUNDS')) {
    return new ChainError(
      'INSUFFICIENT_FUNDS',
      'The account that pays has too little of the native coin for the deposit and the gas. Fund it, then try again.',
      error,
    );
  }
  if (isUnreachable(error)) {
    return new ChainError(
      'RPC_UNREACHABLE',
      `The chain's RPC does not answer (${shortMessage(error)}). Check its address and that it runs; nothing is lost by trying again.`,
      error,
    );
  }
  if (isError(error, 'INVALID_ARGUMENT') || !(error instanceof Error) || !('code' in error)) {
    return error instanceof Error ? error : new Error(String(error));
  }
  return new ChainError('RPC_REFUSED', `The chain's RPC refused the request: ${shortMessage(error)}`, error);
}

function isUnreachable(error: unknown): boolean {
  if (isError(error, 'NETWORK_ERROR') || isError(error, 'TIMEOUT') || isError(error, 'SERVER_ERROR')) return true;
  const codes = ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH'];
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function shortMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What the RPC itself said, where ethers does not know the error.
  if (isError(error, 'UNKNOWN_ERROR') && error['error'] instanceof Object && 'message' in error['error']) {
    return error['error'].message;
  }
  const short = 'shortMessage' in error ? String(error.shortMessage) : error.message;
  return short || ('code' in error ? String(error.code) : error.name);
}
