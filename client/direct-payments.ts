/**
 * Direct payments: over one channel, without a round (PROTOCOL.md section 3). Until its peer has acknowledged one it is
 * neither paid nor unpaid; it is sent again until then.
 */

import { decode } from '../enclave/core/codec.ts';
import { type Bytes32, type ChannelId, type Identity, ZERO_32 } from '../enclave/core/ids.ts';
import type { ChannelView, Notice } from '../enclave/core/interface.ts';
import { pairMessageCodec } from '../enclave/core/pair.ts';
import type { EnclavePort } from './enclave-port.ts';
import type { PaymentBook } from './payment-book.ts';
import type { Session } from './session.ts';

export interface DirectPorts {
  enclave: EnclavePort;
  session: Session;
  book: PaymentBook;
  identity: Identity;
  view(channelId: ChannelId): Promise<ChannelView>;
}

interface Sent {
  sequence: number;
  amount: bigint;
}

export class DirectPayments {
  readonly #ports: DirectPorts;
  /** Sent and not acknowledged, by channel. */
  readonly #unacknowledged = new Map<ChannelId, Sent[]>();

  constructor(ports: DirectPorts) {
    this.#ports = ports;
  }

  /** Takes up what was not acknowledged when the terminal was last stopped: the enclave writes it again. */
  async restore(channels: readonly ChannelView[]): Promise<void> {
    const peers = new Set(channels.filter((each) => each.directUnacknowledged > 0).map((each) => each.peer));
    for (const peer of peers) {
      const { messages } = await this.#ports.enclave.run({ kind: 'resend', peer });
      for (const message of messages) this.#note(message);
    }
  }

  /** @returns the number of the payment on its channel; the peer's acknowledgement comes as an event */
  async pay(request: { channelId: ChannelId; amount: bigint; reference?: Bytes32 }): Promise<{ sequence: number }> {
    const { channelId, amount, reference = ZERO_32 } = request;
    const view = await this.#ports.view(channelId);
    const { messages } = await this.#ports.enclave.run({ kind: 'direct', channelId, amount, reference });
    const [message] = messages;
    const sequence = message ? this.#note(message) : 0;
    this.#record(view, { sequence, amount, phase: 'POST-UPDATE', incoming: false });
    this.#ports.session.relay(view.peer, messages);
    await this.#ports.session.reportBalances([channelId]);
    return { sequence };
  }

  /** What the enclave made of a peer's message. */
  async onNotice(notice: Extract<Notice, { kind: 'directReceived' | 'directAcknowledged' }>): Promise<void> {
    const view = await this.#ports.view(notice.channelId);
    if (notice.kind === 'directReceived') {
      return this.#record(view, { sequence: notice.sequence, amount: notice.amount, phase: 'DONE', incoming: true });
    }
    const sent = this.#unacknowledged.get(notice.channelId) ?? [];
    for (const payment of sent) {
      if (payment.sequence <= notice.sequence) this.#record(view, { ...payment, phase: 'DONE', incoming: false });
    }
    const left = sent.filter((payment) => payment.sequence > notice.sequence);
    this.#unacknowledged.set(notice.channelId, left);
  }

  #note(message: Uint8Array): number {
    const { body } = decode(pairMessageCodec, message);
    if (body.kind !== 'direct') return 0;
    const sent = this.#unacknowledged.get(body.channelId) ?? [];
    if (!sent.some((each) => each.sequence === body.sequence))
      sent.push({ sequence: body.sequence, amount: body.amount });
    this.#unacknowledged.set(body.channelId, sent);
    return body.sequence;
  }

  #record(view: ChannelView, payment: Sent & { phase: 'POST-UPDATE' | 'DONE'; incoming: boolean }): void {
    const { identity } = this.#ports;
    const [payer, payee] = payment.incoming ? [view.peer, identity] : [identity, view.peer];
    this.#ports.book.direct({ ...payment, channelId: view.channelId, token: view.channel.token, payer, payee });
  }
}
