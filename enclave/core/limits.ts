/** Every bound of the protocol, in one place (PROTOCOL.md section 9, "Limits"). */

/** Amounts and counters are uint128; a step past this is refused. */
export const MAX_AMOUNT = 2n ** 128n - 1n;
/** Transfers in one payment. */
export const MAX_TRANSFERS = 64;
/** Participants of one payment: a connected set of 64 transfers joins at most 65 terminals, a scattered one 128. */
export const MAX_PARTICIPANTS = 128;
/** Pending payments per channel that the contract settles in one transaction of 2^24 gas. */
export const MAX_PENDING_CONTRACT = 400;
/** Pending payments per channel that an enclave accepts, unless its owner says otherwise. */
export const MAX_PENDING_DEFAULT = 100;
/** How far in the future a payment may expire, in seconds. */
export const MAX_HORIZON_S = 600;
/** Finished or rejected payments that an enclave remembers. */
export const MAX_TOMBSTONES = 65_536;
/** Payments ended by the chain that an enclave remembers before its watermark rises. */
export const MAX_CHAIN_RESOLVED = 4_096;
/** Certified addresses per terminal. */
export const MAX_ADDRESSES = 1_024;
/** Credentials of other terminals that an enclave keeps. */
export const MAX_PEERS = 16_384;
/** Channels of one enclave. */
export const MAX_CHANNELS = 4_096;
/** Open orders and open invoices of one enclave. */
export const MAX_ORDERS = 16_384;
export const MAX_INVOICES = 16_384;
/** Tokens with a spending limit. */
export const MAX_LIMITS = 16;
/** Wrong PINs before the limits stay for good. */
export const MAX_PIN_FAILURES = 5;
/** Attempts (fresh nonces) of one order. */
export const MAX_ATTEMPTS = 8;
/** Direct payments of one channel that wait for an acknowledgement. */
export const MAX_DIRECT_UNACKNOWLEDGED = 256;
/** Commands in one frame, either between hub and terminal or through the enclave's door. */
export const MAX_COMMANDS = 1_024;
/** Bytes in one frame between hub and terminal, and through the enclave's door. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;
/** Bytes of one message from enclave to enclave. */
export const MAX_PAIR_MESSAGE_BYTES = 1_024;
/** Bytes of one sealed record: a snapshot holds the whole state. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;
