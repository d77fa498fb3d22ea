/** Every bound of the hub, in one place. What the protocol itself bounds stands in enclave/core/limits.ts. */

/** Those that a hub is handed, so that tests can fill them. */
export interface Limits {
  /** Terminals that the hub remembers, each with its credential. */
  readonly maxTerminals: number;
  /** Payments that are neither complete nor aborted at every participant. */
  readonly maxPaymentsInFlight: number;
  /** Orders of one payer that are not over. */
  readonly maxOrdersPerPayer: number;
  /** Orders that wait for a payment or a terminal that may make them possible; further ones are refused at once. */
  readonly maxWaitingOrders: number;
  /** Payments of one terminal that wake with the next COMPLETE on one channel; further ones wait for their timer. */
  readonly maxHeldPerChannel: number;
  /** Questions for a route that one session may ask in one second. */
  readonly maxQuotesPerSecond: number;
  /** Sessions at one time. */
  readonly maxSessions: number;
  /** Sockets that have not said a proper hello yet. */
  readonly maxUnproven: number;
  /** How long a socket may take until its hello. */
  readonly helloTimeoutMs: number;
}

export const defaultLimits: Limits = {
  maxTerminals: 262_144,
  maxPaymentsInFlight: 65_536,
  maxOrdersPerPayer: 4_096,
  maxWaitingOrders: 256,
  maxHeldPerChannel: 4_096,
  maxQuotesPerSecond: 10,
  maxSessions: 16_384,
  maxUnproven: 1_024,
  helloTimeoutMs: 10_000,
};

/** Channels that the hub follows; further ones are ignored and logged. */
export const MAX_NETWORK_CHANNELS = 1_048_576;
/** Orders that are over and whose result is still told to whoever asks again. */
export const MAX_ORDERS_REMEMBERED = 262_144;
/** Introductions that the hub remembers having made in one session; when full it starts to make them again. */
export const MAX_INTRODUCED = 16_384;
/** Payments that are looked at to see whether waiting may make an order possible. */
export const MAX_HOPED_PAYMENTS = 4_096;
/** Labels that one search for a route may settle before it gives up. */
export const MAX_ROUTE_LABELS = 100_000;
/** The same for the search that must compare sets of nodes (route.ts says when). */
export const MAX_STRICT_LABELS = 10_000;
/** Reports of one terminal about channels that the hub has not seen on chain yet; the oldest goes when full. */
export const MAX_EARLY_REPORTS = 1_024;
/** Answers `failed` of one participant in one phase after which the payment is cancelled, where it still can be. */
export const MAX_STEP_FAILURES = 3;
/** Terminals and channels that the attempts of one order may leave out. */
export const MAX_EXCLUDED = 256;
/** The longest pause between two askings of a participant that does not answer. */
export const MAX_REPEAT_MS = 60_000;

/** Bytes that wait for one terminal; one that reads slower is dropped and resumes later. */
export const MAX_OUTGOING_BYTES = 16 * 1024 * 1024;
/** Messages that wait for the end of the tick for one terminal. */
export const MAX_OUTGOING_MESSAGES = 65_536;
/** Frames of one session that wait for the check of certificates; its socket is not read meanwhile. */
export const MAX_INCOMING_FRAMES = 4_096;
/** Events that wait for the loop; above it sockets are not read. */
export const MAX_QUEUED_EVENTS = 65_536;
/** Events that one turn of the loop takes, so that commits stay bounded. */
export const MAX_EVENTS_PER_TURN = 4_096;
/** Rows on one page of GET /payments. */
export const MAX_PAGE = 500;
/** Channels in one picture of GET /network. */
export const MAX_PICTURE = 20_000;
