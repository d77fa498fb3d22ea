/** What `dev` and `demo` let their network do: open channels, pay there and back, and close. */

import { z } from 'zod';
import { formatAmount, formatEth } from './amount.ts';
import {
  balanceAnswer,
  closeAnswer,
  invoiceAnswer,
  openAnswer,
  type PayAnswer,
  payAnswer,
  payPhaseAnswer,
  withdrawAnswer,
} from './answers.ts';
import { Failure } from './failure.ts';
import type { Member, Network } from './network.ts';
import { paymentLines, phaseLine } from './payment-text.ts';
import { shortId, table } from './table.ts';

const CHANNEL_DEPOSIT = 10n ** 18n;
const PRICE = 5n * 10n ** 16n;
const REFUND = 2n * 10n ** 16n;
/** The hub hears of a deposit a moment after the two terminals did. */
const HUB_ATTEMPTS = 200;
const HUB_RETRY_MS = 50;

type Say = (...lines: string[]) => void;

export interface OpenedChannel {
  id: string;
  opener: Member;
  peer: Member;
}

/** One channel between each two neighbours, all at the same time. */
export async function openChannels(network: Network, step: (done: string) => void): Promise<OpenedChannel[]> {
  const { members } = network;
  const opened = await Promise.all(
    members.slice(0, -1).map(async (opener, at) => {
      const peer = memberAt(members, at + 1);
      const body = { peer: peer.identity, deposit: CHANNEL_DEPOSIT };
      const opened = await opener.client.call({ method: 'POST', path: '/channels/open', body, answer: openAnswer });
      const deposit = formatAmount(CHANNEL_DEPOSIT);
      step(
        `channel        ${opener.name} ─ ${deposit} ─▶ ${peer.name}   transaction ${shortId(opened.transactionHash)}`,
      );
      return { id: opened.channelId, opener, peer };
    }),
  );
  await untilRoutable(network, opened);
  return opened;
}

const spendable = z.string().regex(/^\d+$/).transform(BigInt).nullable();
const side = z.object({ spendable });
const picturedChannels = z.object({ channels: z.array(z.object({ channelId: z.string(), a: side, b: side })) });

/** Until the hub counts on what was deposited. @throws Failure NO_ROUTE */
async function untilRoutable(network: Network, channels: readonly OpenedChannel[]): Promise<void> {
  await untilHub(network, async () => {
    const known = picturedChannels.parse(await askHub(network, '/network')).channels;
    const isFunded = ({ id }: OpenedChannel): boolean =>
      known.some(({ channelId, a, b }) => channelId === id && (a.spendable ?? 0n) + (b.spendable ?? 0n) > 0n);
    return channels.every(isFunded);
  });
}

/** Until all have completed: the payer's word comes first, and only then can the payee spend what it got. */
async function untilIdle(network: Network): Promise<void> {
  const health = z.object({ paymentsInFlight: z.number() });
  await untilHub(network, async () => health.parse(await askHub(network, '/health')).paymentsInFlight === 0);
}

async function untilHub(network: Network, holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < HUB_ATTEMPTS; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, HUB_RETRY_MS));
  }
  throw new Failure('NO_ROUTE', `The hub at ${network.hubUrl} does not come to know all balances. Its log says why.`);
}

const askHub = async (network: Network, path: string): Promise<unknown> =>
  await (await fetch(new URL(path, network.hubUrl))).json();

/** The wallet buys with an invoice, the merchant sends something back without one, the wallet buys again. */
export async function makePayments(network: Network, say: Say): Promise<PayAnswer[]> {
  const wallet = memberAt(network.members, 0);
  const merchant = memberAt(network.members, network.members.length - 1);
  const buy = async (amount: bigint, description: string): Promise<PayAnswer> => {
    const body = { amount, description };
    const invoice = await merchant.client.call({ method: 'POST', path: '/invoice', body, answer: invoiceAnswer });
    say('', `${merchant.name} asks for ${formatAmount(amount)} ("${description}"), ${wallet.name} pays:`);
    return await pay(wallet, { invoice: invoice.text }, say);
  };
  const before = await balances(network);
  say('', ...picture(network.members));
  const first = await buy(PRICE, 'two coffees');
  say('', `${merchant.name} sends ${formatAmount(REFUND)} back, without an invoice:`);
  await untilIdle(network);
  const second = await pay(merchant, { payee: wallet.identity, amount: REFUND }, say);
  await untilIdle(network);
  const third = await buy(PRICE, 'two more coffees');
  await untilIdle(network);
  say('', ...balanceTable(network, { before, after: await balances(network) }));
  return [first, second, third];
}

async function pay(payer: Member, target: object, say: Say): Promise<PayAnswer> {
  const onPhase = (phase: unknown): void => {
    const parsed = payPhaseAnswer.safeParse(phase);
    if (parsed.success) say(phaseLine(parsed.data));
  };
  const call = { method: 'POST', path: '/pay', body: target, answer: payAnswer, onPhase } as const;
  const paid = await payer.client.call(call);
  say(...paymentLines(paid));
  if (paid.status === 'complete') return paid;
  throw new Failure('PAYMENT_FAILED', `The payment ${paid.paymentId} was ${paid.status}; nothing moved.`);
}

/** Closes all channels, each by its opener, and withdraws what was credited to each owner. */
export async function closeAll(
  network: Network,
  channels: readonly OpenedChannel[],
  step: (done: string) => void,
): Promise<void> {
  await Promise.all(
    channels.map(async ({ id, opener, peer }) => {
      const body = { channelId: id };
      const closed = await opener.client.call({ method: 'POST', path: '/channels/close', body, answer: closeAnswer });
      const credits = `A ${formatAmount(closed.creditA)}, B ${formatAmount(closed.creditB)}`;
      step(
        `closed         ${opener.name} ─ ${peer.name}   credited ${credits}   transaction ${shortId(closed.transactionHash)}`,
      );
    }),
  );
  await Promise.all(
    network.members.map(async ({ name, client }) => {
      const sent = await client.call({ method: 'POST', path: '/withdraw', body: {}, answer: withdrawAnswer });
      if (sent === null) return;
      step(`withdrawn      ${formatAmount(sent.amount)} by ${name}   transaction ${shortId(sent.transactionHash)}`);
    }),
  );
}

/** What each can spend off chain, in the order of the route. */
async function balances(network: Network): Promise<bigint[]> {
  return await Promise.all(
    network.members.map(async ({ client }) => {
      const answer = await client.call({ method: 'GET', path: '/balance', answer: balanceAnswer });
      return answer.balances.reduce((sum, balance) => sum + balance.spendable, 0n);
    }),
  );
}

function balanceTable(network: Network, of: { before: readonly bigint[]; after: readonly bigint[] }): string[] {
  const rows = network.members.map(({ name }, at) => ({
    name,
    before: of.before[at] ?? 0n,
    after: of.after[at] ?? 0n,
  }));
  return table(rows, [
    { title: 'spendable', cell: (row) => row.name },
    { title: 'before', cell: (row) => formatEth(row.before), right: true },
    { title: 'after', cell: (row) => formatEth(row.after), right: true },
    {
      title: 'change',
      cell: (row) => `${row.after > row.before ? '+' : ''}${formatEth(row.after - row.before)}`,
      right: true,
    },
  ]);
}

/** The hub asks all of them at once; money never passes through it. */
export function picture(members: readonly { name: string }[]): string[] {
  const boxes = members.map(({ name }) => `[ ${name} ]`);
  const route = boxes.join(' ══ ');
  const centres: number[] = [];
  let at = 0;
  for (const box of boxes) {
    centres.push(at + Math.floor(box.length / 2));
    at += box.length + ' ══ '.length;
  }
  const first = centres[0] ?? 0;
  const last = centres.at(-1) ?? 0;
  const rail = Array.from({ length: last + 1 }, (_, column) => {
    if (column < first) return ' ';
    if (column === first) return '┌';
    if (column === last) return '┐';
    return centres.includes(column) ? '┬' : '─';
  });
  const middle = Math.floor((first + last) / 2);
  const label = ' hub ';
  const start = middle - Math.floor(label.length / 2);
  const line = rail.join('');
  return [
    `    ${line.slice(0, start)}${label}${line.slice(start + label.length)}`,
    `    ${route}`,
    '    ══ a channel, opened and funded on chain',
  ];
}

function memberAt(members: readonly Member[], at: number): Member {
  const member = members[at];
  if (member === undefined) throw new Failure('NO_TERMINAL', `There is no terminal ${at}.`);
  return member;
}
