/**
 * What `Terminal` takes and gives: options, results and events, in one place for whoever builds on it.
 * Amounts are bigint in the token's base unit; times are unix milliseconds unless the name ends in S (seconds).
 */

import type { Wallet } from 'ethers';
import type { ChannelIdentity } from '../enclave/core/channel-identity.ts';
import type { AttestationPolicy } from '../enclave/core/credential.ts';
import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../enclave/core/ids.ts';
import type { ChannelView, PaymentView } from '../enclave/core/interface.ts';
import type { OwnerPolicy } from '../enclave/core/order.ts';
import type { OrderState } from '../enclave/core/wire.ts';
import type { EmulatedPlatform } from '../enclave/host/platform.ts';
import type { PaymentHistoryEntry } from './journal/journal.ts';
import type { RouteQuote } from './quotes.ts';

/** The part of a pino logger that is used. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** A channel that another terminal proposes, as its owner may judge it. */
export interface Proposal {
  from: Identity;
  channelId: ChannelId;
  channel: ChannelIdentity;
}

export interface TerminalOptions {
  /** Sealed state, journal and lock; created where it is missing. One process at a time. */
  dataDirectory: string;
  platform: EmulatedPlatform;
  /** ws:// or wss:// */
  hubUrl: string;
  /** http:// or https:// JSON-RPC */
  rpcUrl: string;
  chainId: bigint;
  contract: Address;
  /** Payout address of every channel, and the account that pays for gas. */
  owner: Wallet;
  /** For people; at most 64 bytes of UTF-8. */
  name: string;
  /** Replaces the sealed one where it differs. */
  policy: OwnerPolicy;
  /** Whose quotes count. Replaces the sealed one where it differs. */
  attestation: AttestationPolicy;
  /** Blocks on top of an event's block, including it, before it is believed. */
  confirmations: number;
  /** Block of the contract's deployment. */
  fromBlock: number;
  /** Where payers hand DONE evidence over (http:// or https://); written into invoices. */
  handoverUrl?: string;
  logger: Logger;
  /** Longest challenge period that proposals may ask for, in seconds; 0 (no stale exits) by default. */
  maxChallengePeriodS?: number;
  /** Tokens of which proposals are accepted; the native coin alone by default. */
  tokens?: Address[];
  /** The owner's last word on a proposal that is in order otherwise; accepts by default. */
  onProposal?: (proposal: Proposal) => boolean | Promise<boolean>;
  /** How often the chain is asked for new blocks, 1,000 ms by default. */
  pollMs?: number;
  /** How long a request waits for the hub before it is refused as HUB_UNREACHABLE, 10,000 ms by default. */
  hubWaitMs?: number;
  /** How long to wait for a peer's agreement or deposit confirmation, 300,000 ms by default. */
  peerWaitMs?: number;
}

export type OpenPhase = 'lookup' | 'proposed' | 'agreed' | 'transaction' | 'mined' | 'confirmed';

export interface OpenChannelRequest {
  peer: Identity;
  /** Own first deposit, above zero. */
  deposit: bigint;
  token?: Address;
  challengePeriod?: number;
  /** Derives an address of its own for this channel instead of using the identity's. */
  virtual?: boolean;
  onPhase?: (phase: OpenPhase, facts: { channelId: ChannelId | null; transactionHash: Bytes32 | null }) => void;
}

/** What `pay` reports as it happens. `enclave` is the own enclave's word, `hub` is news and never proof. */
export type PayPhase =
  | { source: 'enclave'; phase: PaymentView['phase'] | 'ORDERED'; ms: number; paymentId: PaymentId | null }
  | {
      source: 'hub';
      phase: OrderState;
      ms: number;
      paymentId: PaymentId | null;
      attempt: number;
      waitingFor: Identity[];
      code: string;
      message: string;
    };

export type PayTarget = { invoice: string } | { payee: Identity; amount: bigint; token?: Address };

export interface PayOptions {
  /** What all intermediaries together may keep; 1 % of the amount and at least 1,000 base units by default. */
  maxFee?: bigint;
  /** How long others may prepare it, 60 s by default, never past the invoice's expiry. */
  expiresInS?: number;
  /**
   * The same key is paid once: a repeated call, also after a crash, gets the first one's outcome or goes on waiting for
   * it; asking for something else under it is refused as KEY_IN_USE. 1 to 128 characters.
   */
  idempotencyKey?: string;
  onPhase?: (phase: PayPhase) => void;
}

export interface RefundRequest {
  /** A payment that this terminal received by a round. */
  paymentId: PaymentId;
  /** All that was not given back yet by default. */
  amount?: bigint;
}

/** What a transaction will cost at the present price of gas, rounded up; the real one may differ. */
export interface ChainCost {
  gas: bigint;
  /** Base units of the native coin per gas. */
  gasPrice: bigint;
  cost: bigint;
}

export interface PayResult {
  paymentId: PaymentId;
  orderId: Bytes32;
  /** `complete` only on the own enclave's word. */
  status: 'complete' | 'aborted' | 'void';
  /** What the payee got (or would have got). */
  amount: bigint;
  /** What the intermediaries kept on top; 0 unless complete. */
  fee: bigint;
  hops: number;
  /** From the call until the own enclave's last word. */
  ms: number;
  phases: PayPhase[];
  /** Why it was not completed, where it was not. */
  reason: { code: string; message: string } | null;
}

export interface InvoiceRequest {
  amount: bigint;
  token?: Address;
  /** 3,600 by default. */
  expiresInS?: number;
  /** At most 256 bytes of UTF-8. */
  description?: string;
  /** The merchant's own, at most 64 bytes of UTF-8; only one invoice has it, unless `again`. */
  orderNumber?: string;
  again?: boolean;
  /** Who asked for it, where it was not the owner. */
  cashier?: string;
}

export interface InvoiceText {
  /** `baro:` and base64url. */
  text: string;
  hash: Bytes32;
  amount: bigint;
  /** Unix seconds. */
  expiry: number;
  orderNumber: string | null;
  /** What could be received now: less than `amount`, and nobody can pay it as things are. */
  receivable: bigint;
}

export interface TokenBalance {
  /** The zero address is the native coin. */
  token: Address;
  /** Can be paid now. */
  spendable: bigint;
  /** Can be received now: what peers have on their sides. */
  receivable: bigint;
  pendingOut: bigint;
  pendingIn: bigint;
  /** Credit of the payout address in the contract; null while the chain is out of reach. */
  withdrawable: bigint | null;
  /** The payout address's own coins; null while the chain is out of reach. */
  onChain: bigint | null;
}

/** Every phase of every payment that the own enclave went through. */
export interface PaymentEvent {
  payment: PaymentView;
  at: number;
}

export type ChannelEvent =
  | { kind: 'proposed' | 'refused'; channelId: ChannelId; peer: Identity; reason: string | null }
  | { kind: 'agreed'; channelId: ChannelId; peer: Identity }
  | { kind: 'deposit'; channelId: ChannelId; own: boolean; total: bigint }
  | { kind: 'confirmed'; channelId: ChannelId; total: bigint }
  | { kind: 'directReceived'; channelId: ChannelId; sequence: number; amount: bigint; reference: Bytes32 }
  | { kind: 'directAcknowledged'; channelId: ChannelId; sequence: number }
  | { kind: 'settled'; channelId: ChannelId; creditA: bigint; creditB: bigint };

export interface TerminalEvents {
  payment: PaymentEvent;
  channel: ChannelEvent;
  link: { online: boolean; reason: string };
  trouble: { about: 'hub' | 'chain' | 'disk' | 'enclave' | 'listener'; code: string; message: string };
}

export type { ChannelView, PaymentHistoryEntry, PaymentView, RouteQuote };
