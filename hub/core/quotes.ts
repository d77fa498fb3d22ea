/**
 * What a payment would take, without paying (PROTOCOL.md section 4, request): the same router as for orders, over what
 * channels carry now. Nothing is reserved or promised, and nothing changes but the count of questions.
 */

import { MAX_AMOUNT } from '../../enclave/core/limits.ts';
import type { HubMessage } from '../../enclave/core/wire.ts';
import { type Refusal, type Wish, whyNoRoute, whyNotPayable } from './admit.ts';
import { send } from './asking.ts';
import type { SessionMessage } from './events.ts';
import { findRoute } from './route.ts';
import type { HubState, Terminal } from './state.ts';

type RouteRequest = Extract<SessionMessage, { kind: 'routeRequest' }>;
type RouteQuote = Extract<HubMessage, { kind: 'routeQuote' }>;

const MAX_UINT32 = 0xffff_ffff;

export function quote(state: HubState, asker: Terminal, request: RouteRequest): void {
  const { requestId } = request;
  const tell = (said: Omit<RouteQuote, 'kind' | 'requestId'>): void =>
    send(state, asker, { kind: 'routeQuote', requestId, ...said });
  const give = ({ code, message }: Refusal): void =>
    tell({ code, message: message.slice(0, 500), hops: 0, fee: 0n, expectedMs: 0 });
  const { payee, token, amount } = request;
  // The fee that its owner allows is not known here: the quote tells what to allow.
  const wish: Wish = { payer: asker.identity, payee, token, amount, maxFee: null };
  const refusal = whyTooMany(state, asker) ?? whyNotPayable(state, wish);
  if (refusal) return give(refusal);
  const route = findRoute(state.map, {
    ...wish,
    maxFee: MAX_AMOUNT - amount,
    processingMs: state.settings.processingMs,
  });
  if (!route) return give(whyNoRoute(state, wish));
  const expectedMs = Math.min(Math.ceil(route.expectedMs), MAX_UINT32);
  tell({ code: '', message: '', hops: route.hops.length, fee: route.fee, expectedMs });
}

function whyTooMany(state: HubState, asker: Terminal): Refusal | null {
  const { maxQuotesPerSecond } = state.settings.limits;
  const second = Math.floor(state.nowMs / 1000);
  if (asker.quotes.second !== second) asker.quotes = { second, count: 0 };
  if (++asker.quotes.count <= maxQuotesPerSecond) return null;
  return {
    code: 'TOO_MANY_QUOTES',
    message: `This hub answers ${maxQuotesPerSecond} questions for a route in a second. Ask again in a moment, or pay.`,
  };
}
