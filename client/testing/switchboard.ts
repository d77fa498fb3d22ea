/**
 * The least that a terminal can call a hub, for tests: real frames over a real socket, one route, one attempt. It relays,
 * introduces and drives a round, believes everybody and remembers nothing. What it withholds is up to the test.
 */

import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ChannelIdentity } from '../../enclave/core/channel-identity.ts';
import type { Deployment } from '../../enclave/core/credential.ts';
import { isSessionSignature } from '../../enclave/core/credential.ts';
import { hashPayment } from '../../enclave/core/encoding.ts';
import { bytes32, type ChannelId, type Identity, type PaymentId, ZERO_32 } from '../../enclave/core/ids.ts';
import { forwardingFee, type Order, orderNonce } from '../../enclave/core/order.ts';
import { aggregate } from '../../enclave/core/pair.ts';
import type { PaymentTerms, Transfer } from '../../enclave/core/payment-terms.ts';
import type { Step, StepAnswer } from '../../enclave/core/round-messages.ts';
import {
  decodeTerminalFrame,
  encodeHubFrame,
  type HubMessage,
  type Introduction,
  type OrderState,
  type Profile,
  type TerminalMessage,
} from '../../enclave/core/wire.ts';

type Hello = Extract<TerminalMessage, { kind: 'hello' }>;
type RouteRequest = Extract<TerminalMessage, { kind: 'routeRequest' }>;

interface Guest {
  socket: WebSocket;
  identity: Identity;
  introduction: Introduction;
  profile: Profile;
  introduced: Set<Identity>;
}

/** A channel as the test knows it, with whose enclaves its parties are. */
interface KnownChannel {
  channelId: ChannelId;
  channel: ChannelIdentity;
  ownerA: Identity;
  ownerB: Identity;
}

export interface Switchboard {
  url: string;
  guests: ReadonlyMap<Identity, unknown>;
  /** Everything that terminals said, oldest first. */
  heard: { from: Identity; message: TerminalMessage }[];
  /** In the order of the route. */
  route: KnownChannel[];
  /** A step for which this holds is never sent. */
  withhold: (to: Identity, step: Step) => boolean;
  /** The hub refuses every session with this. */
  refuse: { code: string; message: string } | null;
  send(to: Identity, messages: HubMessage[]): void;
  sendRaw(to: Identity, bytes: Uint8Array): void;
  /** Cuts every connection. */
  hangUp(): void;
  close(): Promise<void>;
}

/** @param port 0: a free one */
export async function openSwitchboard(deployment: Deployment, port = 0): Promise<Switchboard> {
  const server = new WebSocketServer({ port, host: '127.0.0.1' });
  await new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const guests = new Map<Identity, Guest>();
  const answers = new Map<string, (answer: StepAnswer) => void>();
  const board: Switchboard = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ guests, heard: [], route: [], withhold: () => false, refuse: null },
    send: (to, messages) => guests.get(to)?.socket.send(encodeHubFrame(messages)),
    sendRaw: (to, bytes) => guests.get(to)?.socket.send(bytes),
    hangUp: () => {
      for (const client of server.clients) client.terminate();
    },
    close: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };

  server.on('connection', (socket) => {
    const challenge = bytes32(`0x${randomBytes(32).toString('hex')}`);
    const { chainId, contract, domain } = deployment;
    socket.send(encodeHubFrame([{ kind: 'challenge', chainId, contract, challenge }]));
    let guest: Guest | null = null;
    socket.on('message', (data) => {
      for (const message of decodeTerminalFrame(new Uint8Array(data as Buffer))) {
        if (guest) {
          board.heard.push({ from: guest.identity, message });
          hear(guest, message);
        } else if (message.kind === 'hello') {
          const { identity } = message.credential;
          if (board.refuse) return socket.send(encodeHubFrame([{ kind: 'refused', ...board.refuse }]));
          const { audience, signature } = message;
          if (audience !== new URL(board.url).host) return socket.close();
          if (!isSessionSignature(domain, { identity, challenge, audience, signature })) return socket.close();
          guest = welcome(socket, message);
        }
      }
    });
    socket.on('close', () => {
      if (guest && guests.get(guest.identity) === guest) {
        guests.delete(guest.identity);
        for (const other of guests.keys())
          board.send(other, [{ kind: 'presence', identity: guest.identity, online: false }]);
      }
    });
  });

  function welcome(socket: WebSocket, hello: Hello): Guest {
    const { credential, certificates, profile } = hello;
    const { identity } = credential;
    const guest = {
      socket,
      identity,
      profile,
      introduction: { credential, certificates },
      introduced: new Set<Identity>(),
    };
    guests.set(identity, guest);
    board.send(identity, [{ kind: 'welcome', heartbeatMs: 60_000 }]);
    for (const other of guests.keys())
      if (other !== identity) board.send(other, [{ kind: 'presence', identity, online: true }]);
    return guest;
  }

  function hear(guest: Guest, message: TerminalMessage): void {
    const { identity } = guest;
    switch (message.kind) {
      case 'announce':
        guest.introduction = { ...guest.introduction, certificates: message.certificates };
        guest.profile = message.profile;
        for (const other of guests.values()) other.introduced.delete(identity);
        return;
      case 'lookup': {
        const found = guests.get(message.identity);
        if (!found) return board.send(identity, [{ kind: 'notFound', identity: message.identity }]);
        return board.send(identity, [{ kind: 'found', ...found.introduction, profile: found.profile, online: true }]);
      }
      case 'relay':
        if (!guests.has(message.to)) return board.send(identity, [{ kind: 'undeliverable', to: message.to }]);
        introduce(message.to, identity);
        return board.send(message.to, [{ kind: 'relayed', from: identity, message: message.message }]);
      case 'propose':
        return board.send(message.to, [
          { kind: 'proposed', from: identity, channel: message.channel, side: message.side },
        ]);
      case 'order':
        void drive(message.order).catch((error: unknown) =>
          tell(message.order, 'failed', 'TEST_FAILED', String(error)),
        );
        return;
      case 'answer':
        answers.get(`${identity} ${message.answer.paymentId}`)?.(message.answer);
        return;
      case 'routeRequest':
        return quote(identity, message);
      case 'hello':
      case 'cancelOrder':
      case 'balances':
    }
  }

  function introduce(to: Identity, who: Identity): void {
    const [guest, other] = [guests.get(to), guests.get(who)];
    if (!guest || !other || guest.introduced.has(who)) return;
    guest.introduced.add(who);
    board.send(to, [{ kind: 'introduce', ...other.introduction }]);
  }

  function quote(to: Identity, { requestId, payee, token, amount }: RouteRequest): void {
    const no = { kind: 'routeQuote', requestId, hops: 0, fee: 0n, expectedMs: 0 } as const;
    if (!guests.has(payee)) return board.send(to, [{ ...no, code: 'UNKNOWN_PAYEE', message: 'The payee is unknown.' }]);
    const order = { payer: to, payee, token, amount, maxFee: 0n, orderId: ZERO_32, invoice: ZERO_32, expiry: 0 };
    const { transfers } = plan(order, board.route, guests).terms;
    const paid = transfers.reduce((most, each) => (each.amount > most ? each.amount : most), amount);
    const quoted = { hops: transfers.length, fee: paid - amount, expectedMs: 5, code: '', message: '' };
    board.send(to, [{ ...no, ...quoted }]);
  }

  function tell(order: Order, state: OrderState, code = '', message = ''): void {
    const fields = { attempt: 0, paymentId: null, hops: board.route.length, waitingFor: [], code, message };
    board.send(order.payer, [{ kind: 'orderUpdate', orderId: order.orderId, state, ...fields }]);
  }

  function ask(to: Identity, paymentId: PaymentId, step: Step): Promise<StepAnswer> {
    return new Promise((resolve) => {
      answers.set(`${to} ${paymentId}`, resolve);
      if (!board.withhold(to, step)) board.send(to, [{ kind: 'step', step }]);
    });
  }

  async function drive(order: Order): Promise<void> {
    if (!guests.has(order.payee)) return tell(order, 'failed', 'UNKNOWN_PAYEE', 'The payee is unknown here.');
    if (board.route.length === 0) return tell(order, 'failed', 'NO_ROUTE', 'No route to the payee.');
    const { terms, participants } = plan(order, board.route, guests);
    const paymentId = hashPayment(deployment.domain, terms);
    for (const to of participants) for (const who of participants) if (to !== who) introduce(to, who);
    const evidenceFor = (receiver: Identity, from: ReadonlyMap<Identity, StepAnswer>): Uint8Array =>
      aggregate([...from].flatMap(([sender, answer]) => (sender === receiver ? [] : pick(answer, sender, receiver))));
    const pick = (answer: StepAnswer, sender: Identity, receiver: Identity): Uint8Array[] => {
      const others = participants.filter((each) => each !== sender);
      const mac = 'evidence' in answer ? answer.evidence[others.indexOf(receiver)] : undefined;
      return mac ? [mac] : [];
    };
    const askAll = async (step: (to: Identity) => Step): Promise<Map<Identity, StepAnswer>> =>
      new Map(await Promise.all(participants.map(async (to) => [to, await ask(to, paymentId, step(to))] as const)));

    tell(order, 'preparing');
    const prepared = await askAll(() => ({ kind: 'prepare', terms, participants, preEvidence: null }));
    const rejected = [...prepared].find(([, answer]) => answer.kind !== 'prepared');
    if (rejected) {
      const [from, answer] = rejected;
      const ready = [...prepared].filter(([, each]) => each.kind === 'prepared').map(([identity]) => identity);
      await Promise.all(
        ready.map((to) => {
          const [evidence = new Uint8Array(16)] = pick(answer, from, to);
          return ask(to, paymentId, { kind: 'abort', paymentId, from, evidence });
        }),
      );
      const reason = answer.kind === 'rejected' ? answer.reason : answer.kind;
      return tell(order, 'failed', reason, `${from} answered ${reason}.`);
    }
    tell(order, 'updating');
    const updated = await askAll((to) => ({ kind: 'update', paymentId, evidence: evidenceFor(to, prepared) }));
    tell(order, 'completing');
    await askAll((to) => ({ kind: 'complete', paymentId, evidence: evidenceFor(to, updated) }));
    tell(order, 'complete');
  }

  return board;
}

/** From the payee backwards: every intermediary adds its fee. */
function plan(order: Order, route: readonly KnownChannel[], guests: ReadonlyMap<Identity, Guest>) {
  const transfers: Transfer[] = [];
  let payee = order.payee;
  let amount = order.amount;
  const members = new Set([payee]);
  for (const { channelId, channel, ownerA, ownerB } of [...route].reverse()) {
    const fromA = ownerB === payee;
    const payer = fromA ? ownerA : ownerB;
    const [payerParty, payeeParty] = fromA ? [channel.partyA, channel.partyB] : [channel.partyB, channel.partyA];
    transfers.push({ channelId, payer: payerParty, payee: payeeParty, token: order.token, amount });
    members.add(payer);
    const policy = guests.get(payer)?.profile.policy.forwarding.find((each) => each.token === order.token);
    if (policy && payer !== order.payer) amount += forwardingFee(policy, amount);
    payee = payer;
  }
  transfers.sort((left, right) => (left.channelId < right.channelId ? -1 : 1));
  const { invoice, expiry, orderId } = order;
  const terms: PaymentTerms = { nonce: orderNonce(orderId, 0), invoice, expiry, transfers };
  return { terms, participants: [...members].sort() };
}
