/** Records as rows and back: what is structured travels in the wire's own encodings, checked again when it is read. */

import { decode, encode, toHex } from '../../enclave/core/codec.ts';
import { address, bytes16, bytes32, channelId, identity, paymentId } from '../../enclave/core/ids.ts';
import { orderCodec } from '../../enclave/core/order.ts';
import { EVIDENCE_BYTES } from '../../enclave/core/pair.ts';
import { paymentTermsCodec } from '../../enclave/core/payment-terms.ts';
import { introductionCodec, profileCodec } from '../../enclave/core/wire.ts';
import {
  type ChainCursor,
  type ChannelRecord,
  PAYMENT_STATES,
  type PaymentProgress,
  type PaymentRecord,
  type PaymentState,
  type TerminalRecord,
} from '../core/records.ts';
import type { Row } from './database.ts';
import { type LoggedPayment, StoreError } from './store.ts';

const hex = (bytes: Uint8Array): string => toHex(bytes).slice(2);

function joined(evidence: readonly Uint8Array[] | null): string | null {
  return evidence && evidence.map(hex).join('');
}

export function progressRow(progress: PaymentProgress) {
  const { evidence, ...rest } = progress;
  return { ...rest, evidence: joined(evidence) };
}

export function paymentRow(payment: PaymentRecord) {
  const { order, terms } = payment;
  return {
    ...progressRow(payment),
    orderId: order.orderId,
    attempt: payment.attempt,
    payer: order.payer,
    payee: order.payee,
    token: order.token,
    amount: order.amount.toString(),
    fee: payment.fee.toString(),
    expiry: order.expiry,
    begunMs: payment.begunMs,
    ordered: hex(encode(orderCodec, order)),
    terms: hex(encode(paymentTermsCodec, terms)),
    participants: JSON.stringify(payment.participants),
    order: undefined,
  };
}

export function terminalRow({ introduction, profile }: TerminalRecord) {
  return {
    identity: introduction.credential.identity,
    introduction: hex(encode(introductionCodec, introduction)),
    profile: hex(encode(profileCodec, profile)),
  };
}

/** @throws StoreError CORRUPT where what was read is not what this program writes */
function fromRow<T>(read: (row: Row) => T): (row: Row) => T {
  return (row) => {
    try {
      return read(row);
    } catch (cause) {
      if (cause instanceof StoreError) throw cause;
      throw new StoreError('CORRUPT', 'The database holds a row that no hub wrote. Restore a backup.', cause);
    }
  };
}

function textOf(row: Row, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw new TypeError(`${name} is no text`);
  return value;
}
function numberOf(row: Row, name: string): number {
  const value = row[name];
  if (typeof value !== 'number') throw new TypeError(`${name} is no number`);
  return value;
}
function bytesOf(row: Row, name: string): Uint8Array {
  const value = row[name];
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} is no blob`);
  return new Uint8Array(value);
}

export const terminalOf = fromRow((row): TerminalRecord => {
  const introduction = decode(introductionCodec, bytesOf(row, 'introduction'));
  return { introduction, profile: decode(profileCodec, bytesOf(row, 'profile')) };
});

export const channelOf = fromRow(
  (row): ChannelRecord => ({
    channelId: channelId(textOf(row, 'channel_id')),
    identity: {
      partyA: address(textOf(row, 'party_a')),
      partyB: address(textOf(row, 'party_b')),
      payoutA: address(textOf(row, 'payout_a')),
      payoutB: address(textOf(row, 'payout_b')),
      token: address(textOf(row, 'token')),
      challengePeriod: numberOf(row, 'challenge_period'),
      salt: bytes16(textOf(row, 'salt')),
    },
    depositA: BigInt(textOf(row, 'deposit_a')),
    depositB: BigInt(textOf(row, 'deposit_b')),
  }),
);

export const cursorOf = fromRow((row): ChainCursor => {
  const hasAnchor = row['anchor_hash'] !== null;
  const anchor = hasAnchor
    ? { blockNumber: numberOf(row, 'anchor_block'), blockHash: bytes32(textOf(row, 'anchor_hash')) }
    : null;
  return { nextBlock: numberOf(row, 'next_block'), anchor };
});

/** With its place in the log, for pages. */
export const loggedPaymentOf = fromRow(
  (row): LoggedPayment => ({ ...paymentOf(row), sequence: numberOf(row, 'sequence') }),
);

export const paymentOf = fromRow((row): PaymentRecord => {
  const participants = (JSON.parse(textOf(row, 'participants')) as string[]).map(identity);
  return {
    paymentId: paymentId(textOf(row, 'payment_id')),
    order: decode(orderCodec, bytesOf(row, 'ordered')),
    attempt: numberOf(row, 'attempt'),
    terms: decode(paymentTermsCodec, bytesOf(row, 'terms')),
    participants,
    fee: BigInt(textOf(row, 'fee')),
    begunMs: numberOf(row, 'begun_ms'),
    state: stateOf(textOf(row, 'state')),
    code: textOf(row, 'code'),
    message: textOf(row, 'message'),
    evidence: row['evidence'] === null ? null : split(bytesOf(row, 'evidence')),
    rejectedBy: row['rejected_by'] === null ? null : identity(textOf(row, 'rejected_by')),
    atMs: numberOf(row, 'moved_ms'),
  };
});

function stateOf(text: string): PaymentState {
  const state = PAYMENT_STATES.find((each) => each === text);
  if (!state) throw new TypeError(`no payment state: ${text}`);
  return state;
}

function split(bytes: Uint8Array): Uint8Array[] {
  const macs: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += EVIDENCE_BYTES) macs.push(bytes.slice(at, at + EVIDENCE_BYTES));
  return macs;
}
