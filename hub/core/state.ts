/**
 * Everything the hub's core knows, with the indexes that keep each event at constant work.
 *
 * Invariant: what must survive a restart is in records.ts and was written first; the rest is rebuilt from sessions.
 */

import type { ChannelIdentity, Side } from '../../enclave/core/channel-identity.ts';
import type { Deployment } from '../../enclave/core/credential.ts';
import type { Address, Bytes32, ChannelId, Identity, PaymentId } from '../../enclave/core/ids.ts';
import type { Order } from '../../enclave/core/order.ts';
import type { Introduction, OrderState, Profile } from '../../enclave/core/wire.ts';
import { Deadlines } from './deadlines.ts';
import type { Effect, SessionNumber } from './events.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { type Direction, type MapNode, NetworkMap } from './map.ts';
import type { ChainCursor, StoreWrite } from './records.ts';
import type { Round } from './round.ts';

/** What whoever runs the hub may tune. Times in milliseconds. */
export interface Settings {
  /** How long a step may take until the payment is cancelled (PREPARE) or the step is asked again (later ones). */
  readonly stepTimeoutMs: number;
  /** After how long a HELD participant is asked again, if no COMPLETE came before. */
  readonly heldRetryMs: number;
  /** What one more participant costs, in the model of route.ts. */
  readonly processingMs: number;
  /** Assumed of a terminal whose round trip was not measured yet. */
  readonly initialRttMs: number;
  /** Told to terminals in `welcome`. */
  readonly heartbeatMs: number;
  /** How long an order waits for payments that are about to give back or move what it lacks. */
  readonly orderPatienceMs: number;
  /** For how long after a restart orders wait for terminals that have not come back yet. */
  readonly restartGraceMs: number;
  readonly limits: Limits;
}

export const defaultSettings: Settings = {
  stepTimeoutMs: 5_000,
  heldRetryMs: 250,
  processingMs: 1,
  initialRttMs: 50,
  heartbeatMs: 5_000,
  orderPatienceMs: 2_000,
  restartGraceMs: 5_000,
  limits: defaultLimits,
};

export interface Terminal {
  readonly identity: Identity;
  introduction: Introduction;
  /** Counts changes of `introduction` in this run of the hub. */
  version: number;
  profile: Profile;
  session: SessionNumber | null;
  readonly node: MapNode;
  /** Channels, not settled, with this terminal as a party. */
  readonly channels: Set<NetworkChannel>;
  /** Spendable reported for channels that the hub does not know yet: terminals may read the chain faster. */
  readonly earlyReports: Map<ChannelId, bigint>;
  /** Which version of whom this session was introduced to. */
  readonly introduced: Map<Identity, number>;
  /** Payments that are not over and name it. */
  readonly payments: Set<PaymentId>;
  /** Its own orders that are not over. */
  readonly orders: Set<Bytes32>;
  /** Questions for a route in the present second. */
  quotes: { readonly second: number; count: number };
}

/** One side of a channel: as payer of the direction away from it. */
export interface ChannelSide {
  readonly party: Address;
  owner: Identity | null;
  /** From the chain. */
  deposit: bigint;
  /** Spendable as its owner last reported it, or null before the first report. */
  reported: bigint | null;
  /** Promised to payments whose PREPARE the owner has not answered. */
  reserved: bigint;
  /** Locked by payments that the owner prepared and that are not over for the hub. */
  pending: bigint;
  direction: Direction | null;
}

export interface NetworkChannel {
  readonly channelId: ChannelId;
  readonly identity: ChannelIdentity;
  readonly sides: Readonly<Record<Side, ChannelSide>>;
  /** False while the two reports together claim more than the channel can hold (claim 13). */
  isConsistent: boolean;
}

/** An order and its attempts. */
export interface OrderEntry {
  readonly order: Order;
  /** The number of the present attempt, or of the next one where none runs. */
  attempt: number;
  round: Round | null;
  /** Set while no route is there, but may be soon. */
  wait: Wait | null;
  isOver: boolean;
  /** The payer gave up. */
  isCancelled: boolean;
  /** What the attempts so far taught to leave out. */
  readonly excludedTerminals: Set<Identity>;
  readonly excludedChannels: Set<ChannelId>;
  /** What the payer was told last. */
  news: OrderNews;
}

/** What an order waits for (patience.ts), and how long at most, in unix milliseconds. */
export interface Wait {
  readonly untilMs: number;
  payments: ReadonlySet<PaymentId>;
}

export interface OrderNews {
  state: OrderState;
  attempt: number;
  paymentId: PaymentId | null;
  hops: number;
  code: string;
  message: string;
}

/** Counted since the start. */
interface Counters {
  ordersRefused: number;
  paymentsBegun: number;
  paymentsComplete: number;
  paymentsAborted: number;
  paymentsEndedOnChain: number;
  /** Reports of balances that contradicted the deposits (claim 13). */
  inconsistentReports: number;
  /** Answers that no honest enclave gives. */
  strangeAnswers: number;
}

export interface HubState {
  readonly deployment: Deployment;
  readonly settings: Settings;
  /** Unix milliseconds, from the last event; never goes back. */
  nowMs: number;
  readonly map: NetworkMap;
  readonly terminals: Map<Identity, Terminal>;
  readonly sessions: Map<SessionNumber, Terminal>;
  readonly addressOwner: Map<Address, Identity>;
  readonly channels: Map<ChannelId, NetworkChannel>;
  /** Channels by party addresses that no terminal has certified yet. */
  readonly unowned: Map<Address, Set<NetworkChannel>>;
  readonly rounds: Map<PaymentId, Round>;
  /** Orders that are not over, and those that are, oldest first, while they are remembered. */
  readonly orders: Map<Bytes32, OrderEntry>;
  readonly ordersOver: Map<Bytes32, OrderEntry>;
  /** Orders that are not over and have no attempt under way: something may make one possible soon. */
  readonly waiting: Set<OrderEntry>;
  /** Until then terminals are expected to come back after a restart, in unix milliseconds. */
  graceUntilMs: number;
  /** Payments that wait for a COMPLETE, by `heldKey`. */
  readonly held: Map<string, Set<PaymentId>>;
  readonly deadlines: Deadlines;
  cursor: ChainCursor | null;
  /** When the chain was last heard of, in unix milliseconds. */
  cursorAtMs: number | null;
  readonly counters: Counters;
  /** Rounds whose payer is to be told, and whose order may go on, at the end of this event. */
  readonly moved: Set<Round>;
  effects: Effect[];
}

export function newState(deployment: Deployment, settings: Settings, nowMs: number): HubState {
  return {
    deployment,
    settings,
    nowMs,
    map: new NetworkMap(),
    terminals: new Map(),
    sessions: new Map(),
    addressOwner: new Map(),
    channels: new Map(),
    unowned: new Map(),
    rounds: new Map(),
    orders: new Map(),
    ordersOver: new Map(),
    waiting: new Set(),
    graceUntilMs: 0,
    held: new Map(),
    deadlines: new Deadlines(nowMs),
    cursor: null,
    cursorAtMs: null,
    counters: {
      ordersRefused: 0,
      paymentsBegun: 0,
      paymentsComplete: 0,
      paymentsAborted: 0,
      paymentsEndedOnChain: 0,
      inconsistentReports: 0,
      strangeAnswers: 0,
    },
    moved: new Set(),
    effects: [],
  };
}

export const write = (state: HubState, change: StoreWrite): void => {
  state.effects.push({ kind: 'write', write: change });
};

export function warn(state: HubState, message: string, facts: Record<string, string | number>): void {
  state.effects.push({ kind: 'log', level: 'warn', message, facts });
}

export const heldKey = (identity: Identity, channelId: ChannelId): string => `${identity}:${channelId}`;
