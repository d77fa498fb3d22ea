/** `baro demo`: as `dev`, then everything is closed, withdrawn and audited on chain, and nothing stays. */

import { Option } from 'commander';
import { z } from 'zod';
import { formatEth } from '../amount.ts';
import type { Books } from '../books.ts';
import type { CommandSpec } from '../command.ts';
import { EXIT_DONE, EXIT_REFUSED } from '../failure.ts';
import { table } from '../table.ts';
import { directoryInput } from './shared.ts';

const input = z.object({ data: directoryInput.optional(), keep: z.boolean().default(false) });

export const demo: CommandSpec<z.output<typeof input>> = {
  name: 'demo',
  summary: 'as dev, then close every channel, check the books on chain, and leave nothing',
  description: [
    'Pays over three hops, closes every channel cooperatively, withdraws, and checks on chain that nothing was lost or',
    'made. Exit code 0 where the books balance to the last base unit. With --json, progress goes to stderr.',
  ].join(' '),
  options: [
    new Option('--data <dir>', 'where everything is kept; must be empty (a fresh temporary directory by default)'),
    new Option('--keep', 'leave the temporary directory behind'),
  ],
  examples: ['baro demo', 'baro demo --json 2>/dev/null'],
  input,
  run: async ({ data, keep }, screen) => {
    const { inSession } = await import('../session.ts');
    const { closeAll, makePayments } = await import('../scenario.ts');
    const { audit, readBooks } = await import('../books.ts');
    return await inSession({ data, keep, screen }, async ({ network, channels, step, seconds }) => {
      const payments = await makePayments(network, screen.say.bind(screen));
      screen.say('');
      await closeAll(network, channels, step);
      const owners = network.members.map(({ owner }) => owner);
      const books = await readBooks(network.provider, { contract: network.contract, owners, funded: network.funded });
      const wrong = audit(books);
      const ids = new Set(channels.map(({ id }) => id));
      const conserved =
        wrong.length === 0 && books.channels.length === ids.size && books.channels.every(({ id }) => ids.has(id));
      screen.result(
        {
          payments: payments.map(({ paymentId, hops, amount, status, ms }) => ({
            id: paymentId,
            hops,
            amount,
            status,
            ms,
          })),
          channels: books.channels.map(({ id, creditA, creditB, closeTx }) => ({ id, creditA, creditB, closeTx })),
          conserved,
          emulated: true,
        },
        () => [
          '',
          ...bookLines(
            books,
            network.members.map(({ name }) => name),
          ),
          ...verdict(conserved, seconds()),
        ],
      );
      screen.warn(...wrong);
      return conserved ? EXIT_DONE : EXIT_REFUSED;
    });
  },
};

function bookLines(books: Books, names: readonly string[]): string[] {
  const rows = books.owners.map((owner, at) => ({ name: names[at] ?? owner.owner, ...owner }));
  return table(rows, [
    { title: 'read from the chain', cell: (row) => row.name },
    { title: 'funded', cell: (row) => formatEth(row.funded), right: true },
    { title: '- deposited', cell: (row) => formatEth(row.deposited), right: true },
    { title: '+ withdrawn', cell: (row) => formatEth(row.withdrawn), right: true },
    { title: '- gas', cell: (row) => formatEth(row.gas), right: true },
    { title: '= balance', cell: (row) => formatEth(row.balance), right: true },
  ]);
}

const verdict = (conserved: boolean, seconds: string): string[] => [
  '',
  conserved
    ? `Conserved: every channel credited what was deposited, to the last wei. ${seconds} s in all, with EMULATED enclaves.`
    : 'NOT conserved: the books do not balance.',
];
