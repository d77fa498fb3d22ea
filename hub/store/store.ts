/**
 * What the hub asks of its memory (seed patent 200). Verbs are those of core/records.ts; every implementation passes
 * conformance.test.ts.
 *
 * Invariant: `commit` is all or nothing, and when it resolves its writes survive `kill -9` and loss of power.
 */

import type { Address, Bytes32 } from '../../enclave/core/ids.ts';
import type { PaymentRecord, Snapshot, StoreWrite } from '../core/records.ts';

/** Whose payments a store holds. Another chain with the same number (a development chain anew) has another genesis. */
export interface StoreOwner {
  readonly chainId: bigint;
  readonly contract: Address;
  readonly genesisHash: Bytes32;
}

/** A payment with its place in the log: greater is younger. */
export type LoggedPayment = PaymentRecord & { readonly sequence: number };

export interface HubStore {
  /** What to start from. `nowMs` in unix milliseconds: results of orders that expired before are left out. */
  load(nowMs: number): Promise<Snapshot>;
  /** Carries out all writes, in their order, in one transaction. @throws StoreError FAILED, after which nothing may be sent */
  commit(writes: readonly StoreWrite[]): Promise<void>;
  /** The youngest payments first; `before` is the sequence of the last one of the page before, or null. */
  payments(page: { limit: number; before: number | null }): Promise<LoggedPayment[]>;
  close(): Promise<void>;
}

export type StoreErrorCode =
  | 'FAILED'
  | 'CORRUPT'
  | 'OTHER_DEPLOYMENT'
  | 'NEWER_SCHEMA'
  | 'NOT_A_HUB_DATABASE'
  | 'IN_USE';

/** An operating error of the store; the message says what to do next. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}
