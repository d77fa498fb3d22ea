/** `baro balance` and `baro status`: what there is, and who one is. */

import { z } from 'zod';
import { formatAmount, formatExactly } from '../amount.ts';
import { balanceAnswer, type StatusAnswer, statusAnswer, type TokenBalance } from '../answers.ts';
import type { CommandSpec } from '../command.ts';
import { EXIT_DONE } from '../failure.ts';
import { facts } from '../table.ts';
import { accessInput, BACKGROUND, credentialsOption, dataOption, openAs } from './shared.ts';

const input = z.object(accessInput);
type Input = z.output<typeof input>;

export const balance: CommandSpec<Input> = {
  name: 'balance',
  summary: 'show what you can spend, receive and withdraw',
  description: [
    'spendable: can be paid now. receivable: what peers have on their sides of your channels; more needs a deposit of',
    'theirs. pending: locked in payments that are not over. withdrawable: credited by closed channels (baro withdraw).',
    `on chain: what your owner's address holds, for gas and deposits. ${BACKGROUND}`,
  ].join(' '),
  options: [dataOption(), credentialsOption()],
  examples: ['baro balance', 'baro balance --json', "baro balance --json | jq -r '.balances[0].spendable'"],
  input,
  run: async (who, screen) => {
    const client = await openAs(who);
    const status = await client.call({ method: 'GET', path: '/status', answer: statusAnswer });
    const { balances } = await client.call({ method: 'GET', path: '/balance', answer: balanceAnswer });
    screen.result({ ...status, balances }, () => [
      `${status.name}  ${status.identity}${status.online ? '' : '  (the hub is out of reach)'}`,
      ...balances.flatMap(balanceLines),
    ]);
    return EXIT_DONE;
  },
};

function balanceLines(of: TokenBalance): string[] {
  const chain = (amount: bigint | null): string =>
    amount === null ? 'unknown: the chain is out of reach' : formatExactly(amount);
  return facts([
    ['  spendable', formatExactly(of.spendable)],
    ['  receivable', formatExactly(of.receivable)],
    ['  pending', `${formatAmount(of.pendingOut)} out, ${formatAmount(of.pendingIn)} in`],
    ['  withdrawable', chain(of.withdrawable)],
    ['  on chain', chain(of.onChain)],
  ]);
}

export const status: CommandSpec<Input> = {
  name: 'status',
  summary: 'show who the terminal is, whether its hub answers, and which enclave it runs',
  description: BACKGROUND,
  options: [dataOption(), credentialsOption()],
  examples: ['baro status', "baro status --json | jq -r '.identity'"],
  input,
  run: async (who, screen) => {
    const client = await openAs(who);
    const known = await client.call({ method: 'GET', path: '/status', answer: statusAnswer });
    screen.result({ ...known, isOutdated: isOutdated(known) }, () => [
      ...facts([
        ['name', known.name],
        ['identity', known.identity],
        ['payout', known.payout],
        ['contract', `${known.contract} on chain ${known.chainId}`],
        ['hub', `${known.hub} (${known.online ? 'connected' : 'out of reach; it is tried again and again'})`],
        ['handover', known.handoverUrl ?? 'none'],
        ['enclave', `${known.emulated ? 'EMULATED, ' : ''}measurement ${known.measurement}`],
        ['', `attested by ${known.authority}`],
      ]),
      ...(isOutdated(known) ? outdatedLines(known) : []),
    ]);
    return EXIT_DONE;
  },
};

const isOutdated = (known: StatusAnswer): boolean => known.measurement !== known.installedMeasurement;

const outdatedLines = (known: StatusAnswer): string[] => [
  '',
  'Another enclave image is installed than the one that this terminal was created with:',
  `  ${known.installedMeasurement}`,
  'This terminal goes on with its own copy (enclave-image.js in its directory): its sealed state opens with no other.',
  'To move to the new one: close its channels (baro channel close), withdraw (baro withdraw), and start a new terminal',
  'with another --data. Until then keep enclave-image.js in your backups, beside the state.',
];
