/** What the hub tells over HTTP, as JSON: /info, /health, /network, /payments. Reads only; money is decimal text. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AttestationPolicy } from '../../enclave/core/credential.ts';
import { MAX_PAGE, MAX_PICTURE } from '../core/limits.ts';
import type { HubState, NetworkChannel } from '../core/state.ts';
import type { HubStore, LoggedPayment } from '../store/store.ts';

export interface ApiSource {
  readonly state: HubState;
  readonly store: HubStore;
  readonly policy: AttestationPolicy;
  readonly version: string;
  now(): number;
  wsUrl(): string;
  sessions(): number;
  waiting(): number;
  chainTrouble(): string | null;
}

class BadRequest extends Error {}

/** Answers one request. Never rejects. */
export async function answer(source: ApiSource, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return reply(response, 405, problem('METHOD_NOT_ALLOWED', 'This interface only reads. Use GET.'));
    }
    const url = new URL(request.url ?? '/', 'http://hub');
    const found = await resource(source, url);
    if (!found) {
      const words = `There is no ${url.pathname.slice(0, 100)} here. Ask for /info, /health, /network or /payments.`;
      return reply(response, 404, problem('NOT_FOUND', words));
    }
    reply(response, 200, found);
  } catch (error) {
    if (error instanceof BadRequest) return reply(response, 400, problem('BAD_REQUEST', error.message));
    reply(response, 500, problem('FAILED', 'The hub could not answer. Its log says why; try again in a moment.'));
  }
}

const problem = (code: string, message: string) => ({ code, message });

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${text}\n`);
}

function resource(source: ApiSource, url: URL): Promise<object> | object | null {
  switch (url.pathname) {
    case '/info':
      return info(source);
    case '/health':
      return health(source);
    case '/network':
      return network(source.state);
    case '/payments':
      return payments(source, url.searchParams);
    default:
      return null;
  }
}

function info(source: ApiSource) {
  const { policy, version } = source;
  const { chainId, contract } = source.state.deployment;
  return {
    name: 'baro hub',
    version,
    chainId: chainId.toString(),
    contract,
    wsUrl: source.wsUrl(),
    acceptedMeasurements: policy.measurements,
    acceptedAuthorities: policy.authorities,
    acceptsEmulated: policy.acceptEmulated,
    emulated: true,
  };
}

/** `ageMs`: since the chain was last read, null before the first time. */
function health(source: ApiSource) {
  const { state } = source;
  const trouble = source.chainTrouble();
  return {
    status: trouble === null ? 'ok' : 'degraded',
    chain: {
      nextBlock: state.cursor?.nextBlock ?? null,
      ageMs: state.cursorAtMs === null ? null : Math.max(0, source.now() - state.cursorAtMs),
      trouble,
    },
    sessions: source.sessions(),
    terminals: state.terminals.size,
    channels: state.channels.size,
    paymentsInFlight: state.rounds.size,
    ordersInFlight: state.orders.size,
    eventsWaiting: source.waiting(),
    counters: state.counters,
  };
}

/** Terminals and channels for pictures; at most MAX_PICTURE of each, and said so where there are more. */
function network(state: HubState) {
  const nodes: object[] = [];
  for (const { identity, profile, node, channels } of state.terminals.values()) {
    if (nodes.length === MAX_PICTURE) break;
    const { name } = profile;
    const forwards = [...node.forwarding.keys()];
    nodes.push({ identity, name, online: node.online, rttMs: node.rttMs, forwards, channels: channels.size });
  }
  const edges: object[] = [];
  for (const channel of state.channels.values()) {
    if (edges.length === MAX_PICTURE) break;
    edges.push(channelView(channel));
  }
  const complete = nodes.length === state.terminals.size && edges.length === state.channels.size;
  return { nodes, channels: edges, complete };
}

function channelView({ channelId, identity, sides, isConsistent }: NetworkChannel) {
  const side = ({ party, owner, deposit, reported, pending }: NetworkChannel['sides']['A']) => {
    return { party, identity: owner, deposit, spendable: reported, pending };
  };
  return { channelId, token: identity.token, a: side(sides.A), b: side(sides.B), consistent: isConsistent };
}

async function payments({ store }: ApiSource, parameters: URLSearchParams) {
  const limit = count(parameters, 'limit', { fallback: 50, most: MAX_PAGE });
  const before = parameters.has('before')
    ? count(parameters, 'before', { fallback: 0, most: Number.MAX_SAFE_INTEGER })
    : null;
  const page = await store.payments({ limit, before });
  const last = page.at(-1);
  return { payments: page.map(paymentView), before: last && page.length === limit ? last.sequence : null };
}

function count(parameters: URLSearchParams, name: string, range: { fallback: number; most: number }): number {
  const text = parameters.get(name);
  if (text === null) return range.fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= range.most) return value;
  throw new BadRequest(`${name} must be an integer from 1 to ${range.most}, got ${JSON.stringify(text.slice(0, 40))}.`);
}

function paymentView(payment: LoggedPayment) {
  const { sequence, paymentId, order, attempt, terms, participants, fee, state, code, message } = payment;
  return {
    sequence,
    paymentId,
    orderId: order.orderId,
    attempt,
    payer: order.payer,
    payee: order.payee,
    token: order.token,
    amount: order.amount,
    fee,
    hops: terms.transfers.length,
    participants,
    state,
    code,
    message,
    begunMs: payment.begunMs,
    movedMs: payment.atMs,
  };
}
