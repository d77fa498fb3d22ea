/**
 * The contract's events, decoded and typed: everything that hub and clients sync from chain (PROTOCOL.md sections 3, 5
 * and 6).
 *
 * Invariant: a log that this version does not know is an error, never skipped: a follower must not miss what happened.
 */

import type { Log, Result } from 'ethers';
import type { ChannelIdentity, Side } from '../enclave/core/channel-identity.ts';
import { type ExitPending, OUTCOME, type Outcome, PHASE } from '../enclave/core/encoding.ts';
import {
  type Address,
  address,
  type Bytes32,
  bytes16,
  bytes32,
  type ChannelId,
  channelId,
  type PaymentId,
  paymentId,
} from '../enclave/core/ids.ts';
import { contractInterface } from './interface.ts';

/** Where a log stands in the chain: later in the chain is greater (blockNumber, then logIndex). */
export interface LogPosition {
  blockNumber: number;
  blockHash: Bytes32;
  transactionHash: Bytes32;
  /** Within the block. */
  logIndex: number;
}

/** How a channel ended; 'stale': by a stale exit that waited out its period. */
export type Settlement = 'close' | 'eject' | 'settle' | 'stale';

export type ChannelEvent = LogPosition &
  (
    | { kind: 'opened'; channelId: ChannelId; identity: ChannelIdentity }
    /** `total`: all deposits of that side until now. */
    | { kind: 'deposited'; channelId: ChannelId; side: Side; total: bigint }
    | { kind: 'settled'; channelId: ChannelId; creditA: bigint; creditB: bigint; how: Settlement }
    /** A stale exit stands. Until `finalAt` (block time, unix seconds) and its finalisation, an ordinary exit replaces it. */
    | {
        kind: 'stale-exit';
        channelId: ChannelId;
        side: Side;
        sentA: bigint;
        sentB: bigint;
        finalAt: number;
        pending: ExitPending[];
      }
    | { kind: 'outcome'; paymentId: PaymentId; outcome: Outcome }
    | { kind: 'withdrawn'; token: Address; account: Address; to: Address; amount: bigint }
  );

const settlements: readonly Settlement[] = ['close', 'eject', 'settle', 'stale'];

/** @throws RangeError for a log that is not one of the contract's events */
export function decodeEvent(log: Log): ChannelEvent {
  const parsed = contractInterface.parseLog(log);
  if (!parsed) throw new RangeError(`log ${log.index} of block ${log.blockNumber} is no event of the channel contract`);
  const position: LogPosition = {
    blockNumber: log.blockNumber,
    blockHash: bytes32(log.blockHash),
    transactionHash: bytes32(log.transactionHash),
    logIndex: log.index,
  };
  const { args } = parsed;
  switch (parsed.name) {
    case 'Opened':
      return { ...position, kind: 'opened', channelId: channelId(text(args, 'id')), identity: identity(args) };
    case 'Deposited':
      return {
        ...position,
        kind: 'deposited',
        channelId: channelId(text(args, 'id')),
        side: side(args),
        total: number(args, 'total'),
      };
    case 'Settled':
      return {
        ...position,
        kind: 'settled',
        channelId: channelId(text(args, 'id')),
        creditA: number(args, 'creditA'),
        creditB: number(args, 'creditB'),
        how: settlement(number(args, 'how')),
      };
    case 'StaleExitSubmitted':
      return {
        ...position,
        kind: 'stale-exit',
        channelId: channelId(text(args, 'id')),
        side: side(args),
        sentA: number(args, 'sentA'),
        sentB: number(args, 'sentB'),
        finalAt: Number(number(args, 'finalAt')),
        pending: (args.getValue('pending') as Result[]).map(exitPending),
      };
    case 'OutcomeRecorded': {
      const outcome = number(args, 'outcome') === BigInt(OUTCOME.VOID) ? 'VOID' : 'APPLIED';
      return { ...position, kind: 'outcome', paymentId: paymentId(text(args, 'payment')), outcome };
    }
    case 'Withdrawn':
      return {
        ...position,
        kind: 'withdrawn',
        token: address(text(args, 'token')),
        account: address(text(args, 'account')),
        to: address(text(args, 'to')),
        amount: number(args, 'amount'),
      };
    default:
      throw new RangeError(`the event ${parsed.name} of the channel contract is unknown to this version`);
  }
}

function identity(args: Result): ChannelIdentity {
  return {
    partyA: address(text(args, 'partyA')),
    partyB: address(text(args, 'partyB')),
    payoutA: address(text(args, 'payoutA')),
    payoutB: address(text(args, 'payoutB')),
    token: address(text(args, 'token')),
    challengePeriod: Number(number(args, 'challengePeriod')),
    salt: bytes16(text(args, 'salt')),
  };
}

function exitPending(entry: Result): ExitPending {
  const phase = number(entry, 'phase') === BigInt(PHASE['PRE-UPDATE']) ? 'PRE-UPDATE' : 'POST-UPDATE';
  const fromA = entry.getValue('fromA') === true;
  return { paymentId: paymentId(text(entry, 'payment')), amount: number(entry, 'amount'), fromA, phase };
}

function settlement(how: bigint): Settlement {
  const known = settlements[Number(how)];
  if (!known) throw new RangeError(`a settlement of kind ${how} is unknown to this version`);
  return known;
}

const side = (args: Result): Side => (number(args, 'side') === 0n ? 'A' : 'B');
const text = (args: Result, name: string): string => String(args.getValue(name));
const number = (args: Result, name: string): bigint => args.getValue(name) as bigint;
