/** `baro chain`: a development chain of one's own, with the contract's keys public to everybody. */

import { Option } from 'commander';
import { z } from 'zod';
import { type CommandSpec, integerInput, portInput } from '../command.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from '../failure.ts';
import { listenForInterruption } from '../interruption.ts';

const input = z.object({
  port: portInput,
  blockTime: integerInput({ from: 1, to: 3_600 }).optional(),
});

export const chain: CommandSpec<z.output<typeof input>> = {
  name: 'chain',
  summary: 'run a development chain (its coins are worth nothing, its keys are public)',
  options: [
    new Option('--port <port>', '0: any free one').default('0'),
    new Option('--block-time <seconds>', 'a block every so often (a block for each transaction by default)'),
  ],
  examples: ['baro chain --port 8545', 'baro chain --json'],
  input,
  run: async ({ port, blockTime }, screen) => {
    const interruption = listenForInterruption(() => process.exit(EXIT_INTERRUPTED));
    try {
      const { startDevelopmentChain } = await import('../../../contracts/development-chain.ts');
      const running = await startDevelopmentChain({ port, blockTimeS: blockTime });
      const { url, pid, chainId, accounts } = running;
      screen.result({ ready: true, url, pid, chainId, accounts }, () => [
        `Chain ${chainId} is running at ${url}. Ctrl-C stops and forgets it.`,
        'Accounts with 10,000 coins each (their keys are public knowledge, with --json):',
        ...accounts.map((account) => `  ${account.address}`),
      ]);
      await interruption.raised.catch(() => undefined);
      await running.stop();
      return EXIT_DONE;
    } finally {
      interruption.release();
    }
  },
};
