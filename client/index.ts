/** The SDK's public names: everything that a wallet, merchant or intermediary needs to run a terminal of its own. */

export { address, bytes32, channelId, identity, NATIVE, paymentId } from '../enclave/core/ids.ts';
export { EmulatedPlatform } from '../enclave/host/platform.ts';
export { Emitter } from './emitter.ts';
export { type DecodedInvoice, decodeInvoice, encodeInvoice } from './invoice-text.ts';
export type { Journal, KnownPeer } from './journal/journal.ts';
export { REFUSAL_CODES, type RefusalCode, TerminalRefusal } from './refusal.ts';
export { Terminal } from './terminal.ts';
export type {
  ChannelEvent,
  ChannelView,
  InvoiceRequest,
  InvoiceText,
  Logger,
  OpenChannelRequest,
  OpenPhase,
  PaymentEvent,
  PaymentHistoryEntry,
  PaymentView,
  PayOptions,
  PayPhase,
  PayResult,
  PayTarget,
  Proposal,
  RouteQuote,
  TerminalEvents,
  TerminalOptions,
  TokenBalance,
} from './terminal-types.ts';
