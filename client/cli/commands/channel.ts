/** `baro channel open|deposit|list|close|eject` and `baro withdraw`: what touches the chain. */

import { Option } from 'commander';
import { z } from 'zod';
import { receivableOn } from '../../liquidity.ts';
import { formatAmount, formatEth, formatExactly } from '../amount.ts';
import {
  type ChannelEntry,
  channelsAnswer,
  closeAnswer,
  costAnswer,
  depositAnswer,
  openAnswer,
  withdrawAnswer,
} from '../answers.ts';
import { amountInput, type CommandSpec, hexInput, integerInput } from '../command.ts';
import { ControlClient } from '../control-client.ts';
import type { Screen } from '../screen.ts';
import { shortId, table } from '../table.ts';
import { BACKGROUND, confirm, dataOption, directoryInput, waitFor, yesOption } from './shared.ts';

const CHANNEL = { flags: '<channel>', description: 'channel id (baro channel list --json shows it whole)' };
const channelInput = hexInput(32, 'a channel id');
const MAX_CHALLENGE_S = 2 ** 32 - 1;

const openInput = z.object({
  data: directoryInput,
  peer: hexInput(20, "the peer's identity"),
  deposit: amountInput,
  challengePeriod: integerInput({ from: 0, to: MAX_CHALLENGE_S }).optional(),
});

export const channelOpen: CommandSpec<z.output<typeof openInput>> = {
  name: 'open',
  summary: 'agree on a channel with a peer and fund it on chain',
  description: `Both enclaves agree on the channel, then one transaction opens it with your deposit. ${BACKGROUND}`,
  options: [
    dataOption(),
    new Option('--peer <identity>', 'the terminal at the other end').makeOptionMandatory(),
    new Option('--deposit <amount>', 'your first deposit, from your account on chain').makeOptionMandatory(),
    new Option('--challenge-period <seconds>', 'how long a stale exit waits; 0: this channel knows none'),
  ],
  examples: ['baro channel open --peer 0x8f3a…(40 digits) --deposit 0.5eth'],
  input: openInput,
  run: async ({ data, ...body }, screen) => {
    const client = await ControlClient.open(data);
    const onPhase = (phase: unknown): void => screen.say(...openPhase(phase));
    const call = { method: 'POST', path: '/channels/open', body, answer: openAnswer, onPhase } as const;
    const opened = await waitFor(client, call);
    screen.result(opened, () => [`Channel ${opened.channelId} is open.`, `  transaction  ${opened.transactionHash}`]);
    return 0;
  },
};

const PHASE_WORDS: Readonly<Record<string, string>> = {
  lookup: 'asking the hub for the peer',
  proposed: 'proposed, waiting for the peer',
  agreed: 'both enclaves agreed',
  transaction: 'transaction sent',
  mined: 'transaction mined',
  confirmed: "deposit confirmed by the peer's enclave",
};

function openPhase(phase: unknown): string[] {
  const parsed = z.object({ phase: z.string() }).safeParse(phase);
  return parsed.success ? [`  … ${PHASE_WORDS[parsed.data.phase] ?? parsed.data.phase}`] : [];
}

const depositInput = z.object({ data: directoryInput, channel: channelInput, amount: amountInput });

export const channelDeposit: CommandSpec<z.output<typeof depositInput>> = {
  name: 'deposit',
  summary: 'add to your side of an open channel',
  description: `One transaction; spendable when the peer's enclave has confirmed it. ${BACKGROUND}`,
  arguments: [CHANNEL],
  options: [dataOption(), new Option('--amount <amount>', 'what to add').makeOptionMandatory()],
  examples: ['baro channel deposit 0x51c2…(64 digits) --amount 20gwei'],
  input: depositInput,
  run: async ({ data, channel: channelId, amount }, screen) => {
    const client = await ControlClient.open(data);
    const body = { channelId, amount };
    const sent = await waitFor(client, { method: 'POST', path: '/channels/deposit', body, answer: depositAnswer });
    screen.result({ channelId, amount, ...sent }, () => [
      `Deposited ${formatExactly(amount)} to ${shortId(channelId)}; your deposits there add up to ${formatAmount(sent.total)}.`,
      `  transaction  ${sent.transactionHash}`,
    ]);
    return 0;
  },
};

const listInput = z.object({ data: directoryInput });

export const channelList: CommandSpec<z.output<typeof listInput>> = {
  name: 'list',
  summary: 'list the channels and what can move over them',
  description: `Ids are shortened on the screen, whole with --json. ${BACKGROUND}`,
  options: [dataOption()],
  examples: ['baro channel list', 'baro channel list --json'],
  input: listInput,
  run: async ({ data }, screen) => {
    const client = await ControlClient.open(data);
    const answer = await client.call({ method: 'GET', path: '/channels', answer: channelsAnswer });
    screen.result(answer, () => channelTable(answer.channels));
    return 0;
  },
};

function channelTable(channels: readonly ChannelEntry[]): string[] {
  if (channels.length === 0) return ['No channels yet. Open one: baro channel open --help'];
  return table(channels, [
    { title: 'channel', cell: (row) => shortId(row.channelId) },
    { title: 'peer', cell: (row) => shortId(row.peer) },
    { title: 'yours', cell: (row) => formatEth(row.ownBalance), right: true },
    { title: "peer's", cell: (row) => formatEth(row.peerBalance), right: true },
    { title: 'spendable', cell: (row) => formatEth(row.settled || row.exitSigned ? 0n : row.spendable), right: true },
    { title: 'receivable', cell: (row) => formatEth(receivableOn(row)), right: true },
    { title: 'pending', cell: (row) => String(row.pendingCount), right: true },
    { title: 'state', cell: stateOf },
  ]);
}

function stateOf(row: ChannelEntry): string {
  if (row.settled) return 'settled';
  if (row.exitSigned) return 'closing';
  if (row.suspended) return 'suspended: a deposit is gone from the chain';
  if (!row.agreed) return 'waiting for the peer to agree';
  return row.ownDeposit + row.peerDeposit === 0n ? 'waiting for a deposit' : 'open';
}

const closeInput = z.object({ data: directoryInput, channel: channelInput });

export const channelClose: CommandSpec<z.output<typeof closeInput>> = {
  name: 'close',
  summary: 'end a channel with nothing pending; both owners are credited',
  description: `One transaction, nothing to wait for. Then take the money out: baro withdraw. ${BACKGROUND}`,
  arguments: [CHANNEL],
  options: [dataOption()],
  examples: ['baro channel close 0x51c2…(64 digits)'],
  input: closeInput,
  run: async ({ data, channel: channelId }, screen) => {
    const client = await ControlClient.open(data);
    const body = { channelId };
    const closed = await waitFor(client, { method: 'POST', path: '/channels/close', body, answer: closeAnswer });
    screen.result({ channelId, ...closed }, () => [
      `Channel ${shortId(channelId)} is closed.`,
      `  credited  A ${formatExactly(closed.creditA)}, B ${formatExactly(closed.creditB)}`,
      `  transaction  ${closed.transactionHash}`,
    ]);
    return 0;
  },
};

const ejectInput = z.object({ data: directoryInput, channel: channelInput, yes: z.boolean().default(false) });

export const channelEject: CommandSpec<z.output<typeof ejectInput>> = {
  name: 'eject',
  summary: 'leave a channel at any time, whatever is pending and whether or not anybody answers',
  description: [
    'One transaction, without hub, peer or waiting period. Payments that are pending there end as their phase says, unless',
    'their outcome is on chain already: PRE-UPDATE as VOID (never happened), POST-UPDATE as APPLIED (happened). Your enclave',
    'signs nothing more for this channel, ever. Where the peer answers and nothing is pending, baro channel close is cheaper.',
    `Shows what it costs first. ${BACKGROUND}`,
  ].join(' '),
  arguments: [CHANNEL],
  options: [dataOption(), yesOption()],
  examples: ['baro channel eject 0x51c2…(64 digits)', 'baro channel eject 0x51c2…(64 digits) --yes --json'],
  input: ejectInput,
  run: async ({ data, channel: channelId, yes }, screen) => {
    const client = await ControlClient.open(data);
    const path = `/channels/eject-cost?channelId=${channelId}`;
    const estimate = await client.call({ method: 'GET', path, answer: costAnswer });
    const { channels } = await client.call({ method: 'GET', path: '/channels', answer: channelsAnswer });
    const view = channels.find((each) => each.channelId === channelId);
    const pending = view?.pendingCount ?? 0;
    const warning = [
      `This ends the channel ${shortId(channelId)} for good, with ${pending} pending payment${pending === 1 ? '' : 's'} on it.`,
      `  yours now    ${formatExactly(view?.ownBalance ?? 0n)}, credited to ${(view?.side === 'A' ? view.payoutA : view?.payoutB) ?? 'you'}`,
      `  costs about  ${formatAmount(estimate.cost)} (${estimate.gas} gas at ${formatAmount(estimate.gasPrice)})`,
    ];
    await confirm(screen, { yes, warning });
    const call = { method: 'POST', path: '/channels/eject', body: { channelId }, answer: closeAnswer } as const;
    const left = await waitFor(client, call);
    screen.result({ channelId, ...left, estimate }, () => [
      `Left the channel ${shortId(channelId)}.`,
      `  credited  A ${formatExactly(left.creditA)}, B ${formatExactly(left.creditB)}`,
      `  transaction  ${left.transactionHash}`,
      'Take your credit out: baro withdraw',
    ]);
    return 0;
  },
};

const withdrawInput = z.object({ data: directoryInput });

export const withdraw: CommandSpec<z.output<typeof withdrawInput>> = {
  name: 'withdraw',
  summary: 'move what closed channels credited to you out of the contract',
  description: `One transaction, to your owner's address. ${BACKGROUND}`,
  options: [dataOption()],
  examples: ['baro withdraw'],
  input: withdrawInput,
  run: async ({ data }, screen: Screen) => {
    const client = await ControlClient.open(data);
    const sent = await waitFor(client, { method: 'POST', path: '/withdraw', body: {}, answer: withdrawAnswer });
    screen.result(sent ?? { amount: 0n, transactionHash: null }, () =>
      sent === null
        ? ['Nothing to withdraw: no closed channel has credited you since the last time.']
        : [`Withdrew ${formatExactly(sent.amount)} to your own address.`, `  transaction  ${sent.transactionHash}`],
    );
    return 0;
  },
};
