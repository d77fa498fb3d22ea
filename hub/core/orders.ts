/**
 * From an order to attempts, until one completes or none can (PROTOCOL.md section 4, request and "Unresponsive
 * participants"): each attempt has a fresh nonce, fresh balances, and leaves out what made an earlier one fail.
 *
 * Invariant: an order has at most one attempt that may still be applied. The next begins after a REJECT made the last
 * one impossible and its ABORT was sent before the new PREPARE.
 */

import { hashPayment } from '../../enclave/core/encoding.ts';
import type { Bytes32 } from '../../enclave/core/ids.ts';
import { MAX_ATTEMPTS } from '../../enclave/core/limits.ts';
import { type Order, orderNonce } from '../../enclave/core/order.ts';
import type { Transfer } from '../../enclave/core/payment-terms.ts';
import { type Refusal, whyNoRoute, whyNotAdmitted } from './admit.ts';
import { send } from './asking.ts';
import { canCure, learn } from './cure.ts';
import { begin, cancel } from './drive.ts';
import { MAX_ORDERS_REMEMBERED } from './limits.ts';
import { whyWait } from './patience.ts';
import { type Failure, orderIdOf, type Round, type RoundPlan, waitingFor } from './round.ts';
import { findRoute, type Route } from './route.ts';
import type { HubState, OrderEntry, OrderNews, Terminal, Wait } from './state.ts';
import { wordsFor } from './words.ts';

export const newEntry = (order: Order, attempt: number): OrderEntry => ({
  order,
  attempt,
  round: null,
  wait: null,
  isOver: false,
  isCancelled: false,
  excludedTerminals: new Set(),
  excludedChannels: new Set(),
  news: { state: 'routing', attempt, paymentId: null, hops: 0, code: '', message: '' },
});

/**
 * A terminal wants to pay. Asked again about an order that runs, completed or was given up, it is told how that stands;
 * one that failed otherwise is tried again, with its attempts counted on.
 */
export function takeOrder(state: HubState, payer: Terminal, order: Order): void {
  const known = state.orders.get(order.orderId) ?? state.ordersOver.get(order.orderId);
  if (known && !isSame(known.order, order)) {
    const message = 'Another order has this id. Make a new order.';
    return tell(state, payer, { ...newEntry(order, 0), news: refusedNews({ code: 'ORDER_ID_IN_USE', message }) });
  }
  if (known && (!known.isOver || known.isCancelled || known.news.state === 'complete')) {
    return tell(state, payer, known);
  }
  const entry = known ?? newEntry(order, 0);
  const refusal = whyNotAdmitted(state, payer.identity, order);
  if (refusal && !whyWait(state, entry, refusal)) {
    state.counters.ordersRefused++;
    return tell(state, payer, { ...entry, news: refusedNews(refusal) });
  }
  state.ordersOver.delete(order.orderId);
  entry.isOver = false;
  state.orders.set(order.orderId, entry);
  payer.orders.add(order.orderId);
  attempt(state, entry);
}

const isSame = (left: Order, right: Order): boolean =>
  left.payer === right.payer &&
  left.payee === right.payee &&
  left.token === right.token &&
  left.amount === right.amount &&
  left.maxFee === right.maxFee &&
  left.invoice === right.invoice &&
  left.expiry === right.expiry;

const refusedNews = ({ code, message }: Refusal): OrderNews => ({
  state: 'failed',
  attempt: 0,
  paymentId: null,
  hops: 0,
  code,
  message,
});

/** The payer gives up; what everybody has prepared goes on nevertheless. */
export function cancelOrder(state: HubState, payer: Terminal, orderId: Bytes32): void {
  const entry = state.orders.get(orderId) ?? state.ordersOver.get(orderId);
  if (!entry || entry.order.payer !== payer.identity) {
    const message = `No order ${orderId} of yours is known here. There is nothing to cancel.`;
    return send(state, payer, { kind: 'refused', code: 'UNKNOWN_ORDER', message });
  }
  const phase = entry.round?.phase;
  if (entry.wait) {
    entry.isCancelled = true;
    return attempt(state, entry);
  }
  if (entry.isOver || !entry.round || phase === 'updating' || phase === 'completing') {
    const tooLate = phase === 'updating' || phase === 'completing';
    if (tooLate) entry.news = { ...entry.news, message: TOO_LATE };
    return tell(state, payer, entry);
  }
  entry.isCancelled = true;
  if (!cancel(state, entry.round, givenUp)) state.moved.add(entry.round);
}

const givenUp: Failure = { code: 'GIVEN_UP', by: null, silent: [] };

const TOO_LATE = 'Too late to cancel: everybody has prepared, so the payment goes on.';

/** Tells payers how their rounds stand, and tries again where one was aborted. Called at the end of every event. */
export function followMoved(state: HubState): void {
  for (const round of state.moved) {
    state.moved.delete(round);
    const entry = state.orders.get(orderIdOf(round));
    if (entry?.round === round) follow(state, entry, round);
    if (round.phase === 'over') retryWaiting(state, ({ payments }) => payments.has(round.paymentId));
  }
}

/** Looks again at orders that wait (patience.ts): as time passes, terminals come back and payments end. */
export function retryWaiting(state: HubState, isMeant: (wait: Wait) => boolean = () => true): void {
  for (const entry of [...state.waiting]) if (entry.wait && isMeant(entry.wait)) attempt(state, entry);
}

function follow(state: HubState, entry: OrderEntry, round: Round): void {
  const known = { paymentId: round.paymentId, attempt: round.attempt, hops: round.terms.transfers.length };
  switch (round.phase) {
    case 'preparing':
    case 'cancelling':
      return note(state, entry, { ...known, state: 'preparing', code: '', message: '' });
    case 'updating':
    case 'completing':
      return note(state, entry, {
        ...known,
        state: round.phase,
        code: '',
        message: entry.isCancelled ? TOO_LATE : '',
      });
    case 'aborting':
    case 'over':
      if (round.outcome === 'complete' || round.outcome === 'applied')
        return conclude(state, entry, { ...known, state: 'complete', code: '', message: '' });
      return failed(state, entry, round);
  }
}

function failed(state: HubState, entry: OrderEntry, round: Round): void {
  const failure = entry.isCancelled ? givenUp : round.failure;
  const code = failure?.code ?? 'CANCELLED';
  const news = {
    paymentId: round.paymentId,
    attempt: round.attempt,
    hops: round.terms.transfers.length,
    code,
    message: failure ? wordsFor(failure) : '',
  };
  entry.attempt = round.attempt + 1;
  if (entry.isCancelled || round.outcome === 'void' || !canCure(round)) {
    return conclude(state, entry, { ...news, state: 'failed' });
  }
  if (!round.isReleased) {
    entry.attempt = round.attempt;
    return note(state, entry, { ...news, state: 'routing' });
  }
  learn(entry, round);
  entry.round = null;
  note(state, entry, { ...news, state: 'routing' });
  attempt(state, entry);
}

/** Routes the order and begins a round, or tells the payer why it cannot be. */
function attempt(state: HubState, entry: OrderEntry): void {
  const { order } = entry;
  const last = entry.news.message ? ` The last attempt: ${entry.news.message}` : '';
  const give = ({ code, message }: Refusal): void => {
    state.counters.ordersRefused++;
    const words = (message + last).slice(0, 500);
    conclude(state, entry, { ...refusedNews({ code, message: words }), attempt: entry.attempt });
  };
  if (entry.isCancelled) return give({ code: 'GIVEN_UP', message: wordsFor(givenUp) });
  if (entry.attempt >= MAX_ATTEMPTS) {
    return give({ code: 'TOO_MANY_ATTEMPTS', message: `All ${MAX_ATTEMPTS} attempts failed. Make a new order.` });
  }
  const giveOrWait = (refusal: Refusal): void => {
    const wait = whyWait(state, entry, refusal);
    if (wait) awaitChange(state, entry, wait);
    else give(refusal);
  };
  const refusal = whyNotAdmitted(state, order.payer, order);
  if (refusal) return giveOrWait(refusal);
  const { processingMs } = state.settings;
  const { excludedTerminals, excludedChannels } = entry;
  const route = findRoute(state.map, { ...order, processingMs, excludedTerminals, excludedChannels });
  if (!route) return giveOrWait(whyNoRoute(state, order));
  const plan = planOf(state, entry, route);
  if (state.rounds.has(plan.paymentId)) {
    entry.attempt++;
    return attempt(state, entry);
  }
  noLongerWaiting(state, entry);
  entry.round = begin(state, plan);
}

/** No route now, but perhaps soon. */
function awaitChange(state: HubState, entry: OrderEntry, wait: Wait): void {
  const isNews = entry.wait === null;
  entry.wait = wait;
  state.waiting.add(entry);
  if (isNews) note(state, entry, { ...entry.news, state: 'routing', attempt: entry.attempt });
}

function noLongerWaiting(state: HubState, entry: OrderEntry): void {
  entry.wait = null;
  state.waiting.delete(entry);
}

function planOf(state: HubState, entry: OrderEntry, route: Route): RoundPlan {
  const { order, attempt: number } = entry;
  const transfers = route.hops
    .map(
      ({ direction, amount }): Transfer => ({
        channelId: direction.channelId,
        payer: direction.payerParty,
        payee: direction.payeeParty,
        token: direction.token,
        amount,
      }),
    )
    .sort((left, right) => (left.channelId < right.channelId ? -1 : 1));
  const terms = {
    nonce: orderNonce(order.orderId, number),
    invoice: order.invoice,
    expiry: order.expiry,
    transfers,
  };
  const participants = [order.payer, ...route.hops.map((hop) => hop.direction.payee)].sort();
  const paymentId = hashPayment(state.deployment.domain, terms);
  return { paymentId, terms, order, attempt: number, fee: route.fee, participants };
}

function note(state: HubState, entry: OrderEntry, news: OrderNews): void {
  entry.news = news;
  const payer = state.terminals.get(entry.order.payer);
  if (payer) tell(state, payer, entry);
}

/** The order is over; its result stays known until it expires. */
function conclude(state: HubState, entry: OrderEntry, news: OrderNews): void {
  const { orderId, payer } = entry.order;
  entry.isOver = true;
  entry.round = null;
  noLongerWaiting(state, entry);
  note(state, entry, news);
  state.orders.delete(orderId);
  state.terminals.get(payer)?.orders.delete(orderId);
  remember(state, entry);
}

export function remember(state: HubState, entry: OrderEntry): void {
  state.ordersOver.set(entry.order.orderId, entry);
  for (const [orderId, oldest] of state.ordersOver) {
    const isExpired = oldest.order.expiry * 1000 < state.nowMs;
    if (!isExpired && state.ordersOver.size <= MAX_ORDERS_REMEMBERED) return;
    state.ordersOver.delete(orderId);
  }
}

export function tell(state: HubState, payer: Terminal, entry: OrderEntry): void {
  send(state, payer, {
    kind: 'orderUpdate',
    orderId: entry.order.orderId,
    waitingFor: entry.round ? waitingFor(entry.round) : [],
    ...entry.news,
  });
}
