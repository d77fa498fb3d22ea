/** `baro dev`: from nothing to real payments over three hops, and then it stays for you to play with. */

import { join, relative } from 'node:path';
import { Option } from 'commander';
import { z } from 'zod';
import type { CommandSpec } from '../command.ts';
import type { Network } from '../network.ts';
import { programFile } from '../programs.ts';
import type { Running } from '../session.ts';
import { directoryInput } from './shared.ts';

const input = z.object({ data: directoryInput.optional(), keep: z.boolean().default(false) });

export const dev: CommandSpec<z.output<typeof input>> = {
  name: 'dev',
  summary: 'start a whole network on this machine, pay over three hops, and stay up',
  description: [
    'Chain, contract, hub, wallet, two intermediaries and a merchant, each a process of its own. Channels are opened and',
    'funded on chain, then the wallet pays the merchant off chain. Ctrl-C stops all of it. The enclaves are EMULATED.',
  ].join(' '),
  options: [
    new Option('--data <dir>', 'where everything is kept; must be empty (a fresh temporary directory by default)'),
    new Option('--keep', 'leave the temporary directory behind'),
  ],
  examples: ['baro dev', 'baro dev --data ./my-network'],
  input,
  run: async ({ data, keep }, screen) => {
    const { inSession } = await import('../session.ts');
    const { makePayments } = await import('../scenario.ts');
    return await inSession({ data, keep, screen }, async (running) => {
      const { network, channels } = running;
      const payments = await makePayments(network, screen.say.bind(screen));
      const [wallet, , , merchant] = network.members;
      screen.result(
        {
          ready: true,
          emulated: true,
          data: network.directory,
          chain: network.chainUrl,
          hub: network.hubUrl,
          contract: network.contract,
          terminals: network.members.map(({ name, identity, data: of }) => ({ name, identity, data: of })),
          channels: channels.map(({ id }) => id),
          payments: payments.map(({ paymentId, hops, amount, status, ms }) => ({
            id: paymentId,
            hops,
            amount,
            status,
            ms,
          })),
        },
        () =>
          farewell(running, {
            wallet: wallet?.data ?? '',
            merchant: merchant?.data ?? '',
            payee: merchant?.identity ?? '',
          }),
      );
      return await running.stayUp();
    });
  },
};

function farewell({ network, seconds }: Running, of: { wallet: string; merchant: string; payee: string }): string[] {
  const baro = `node ${relative(process.cwd(), programFile('client/cli/main.js'))}`;
  return [
    '',
    `Ready after ${seconds()} s, the enclaves are EMULATED. Everything stays up until Ctrl-C. In another window:`,
    '',
    '  pay again',
    `    ${baro} pay --data ${of.wallet} --to ${of.payee} --amount 0.01eth`,
    '  pay an invoice',
    `    ${baro} invoice --data ${of.merchant} --amount 0.01eth`,
    `    ${baro} pay --data ${of.wallet} baro:…`,
    '  look around',
    `    ${baro} balance --data ${of.wallet}`,
    `    ${baro} channel list --data ${join(network.directory, 'intermediary1')}`,
    `    ${baro} payments --data ${of.merchant}`,
    `    curl ${new URL('/network', httpOf(network)).href}`,
    '',
    `Logs and state: ${network.directory}`,
  ];
}

const httpOf = (network: Network): string => network.hubUrl.replace(/^ws/, 'http');
