/**
 * What reaches the hub's core, and what it wants done (ARCHITECTURE.md, functional core).
 *
 * The shell carries effects out in one fixed order: all writes of a turn in one transaction, then what is sent.
 */

import type { ChannelIdentity, Side } from '../../enclave/core/channel-identity.ts';
import type { Outcome } from '../../enclave/core/encoding.ts';
import type { ChannelId, PaymentId } from '../../enclave/core/ids.ts';
import type { HubMessage, Introduction, Profile, TerminalMessage } from '../../enclave/core/wire.ts';
import type { ChainCursor, StoreWrite } from './records.ts';

/** Names one proven connection of a terminal; never used twice in one run of the hub. */
export type SessionNumber = number;

/** What a terminal may say once its session stands. */
export type SessionMessage = Exclude<TerminalMessage, { kind: 'hello' }>;

/** A confirmed event of the contract. */
export type ChainEvent =
  | { kind: 'opened'; channelId: ChannelId; identity: ChannelIdentity }
  /** `total`: all deposits of that side until now. */
  | { kind: 'deposited'; channelId: ChannelId; side: Side; total: bigint }
  | { kind: 'settled'; channelId: ChannelId; creditA: bigint; creditB: bigint }
  | { kind: 'outcome'; paymentId: PaymentId; outcome: Outcome };

export type HubEvent =
  /** A hello was verified: credential, attestation policy, session signature, certificates. */
  | { kind: 'connected'; session: SessionNumber; introduction: Introduction; profile: Profile }
  | { kind: 'disconnected'; session: SessionNumber }
  /** Certificates in an `announce` were verified. */
  | { kind: 'message'; session: SessionNumber; message: SessionMessage }
  /** Smoothed round-trip time of a session's heartbeat. */
  | { kind: 'roundTrip'; session: SessionNumber; rttMs: number }
  | { kind: 'chain'; events: readonly ChainEvent[]; cursor: ChainCursor }
  /** Time has passed. */
  | { kind: 'tick' };

export type Effect =
  /** In the order of effects; dropped where the session is gone. */
  | { kind: 'send'; session: SessionNumber; message: HubMessage }
  /** Tells the reason as `refused`, then closes. */
  | { kind: 'close'; session: SessionNumber; code: string; message: string }
  | { kind: 'write'; write: StoreWrite }
  | { kind: 'log'; level: 'info' | 'warn'; message: string; facts: Readonly<Record<string, string | number>> };
