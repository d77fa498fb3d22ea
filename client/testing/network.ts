/** A chain, a contract, a switchboard and terminals with real enclaves, for tests of terminals. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { deployPaymentChannels } from '../../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../../contracts/development-chain.ts';
import { openRpc } from '../../contracts/rpc.ts';
import type { Deployment } from '../../enclave/core/credential.ts';
import { domainSeparator } from '../../enclave/core/encoding.ts';
import { NATIVE } from '../../enclave/core/ids.ts';
import type { OwnerPolicy } from '../../enclave/core/order.ts';
import { EmulatedPlatform } from '../../enclave/host/platform.ts';
import { Terminal } from '../terminal.ts';
import type { Logger, TerminalOptions } from '../terminal-types.ts';
import { openSwitchboard, type Switchboard } from './switchboard.ts';

export const FORWARDING: OwnerPolicy = {
  forwarding: [
    {
      token: NATIVE,
      minAmount: 1n,
      maxAmount: 10n ** 18n,
      feeBase: 5n,
      feePpm: 0,
      maxPendingPerPeer: 50,
      maxPendingPerPayer: 50,
    },
  ],
  acceptAnything: false,
  prepareLast: false,
  maxPending: 100,
};
export const PLAIN: OwnerPolicy = { forwarding: [], acceptAnything: true, prepareLast: false, maxPending: 100 };
/** Takes payments by invoice only. */
export const STRICT: OwnerPolicy = { ...PLAIN, acceptAnything: false };

const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

export interface Network {
  chain: DevelopmentChain;
  deployment: Deployment;
  board: Switchboard;
  platform: EmulatedPlatform;
  /** Options of the terminal with this name and number; the number names its account and its directory. */
  options(name: string, account: number, change?: Partial<TerminalOptions>): TerminalOptions;
  gasUsed(transactionHash: string): Promise<bigint>;
  start(name: string, account: number, change?: Partial<TerminalOptions>): Promise<Terminal>;
  stop(): Promise<void>;
}

export async function startNetwork(): Promise<Network> {
  const place = await mkdtemp(join(tmpdir(), 'baro-terminals-'));
  const chain = await startDevelopmentChain();
  const key = (account: number): Wallet => new Wallet(chain.accounts[account]?.privateKey ?? '');
  const provider = await openRpc({ url: chain.url });
  const { address: contract, blockNumber } = await deployPaymentChannels(key(9).connect(provider));
  provider.destroy();
  const chainId = BigInt(chain.chainId);
  const deployment = { chainId, contract, domain: domainSeparator(chainId, contract) };
  const board = await openSwitchboard(deployment);
  const platform = await EmulatedPlatform.open(join(place, 'platform'));
  const running = new Set<Terminal>();
  const options = (name: string, account: number, change: Partial<TerminalOptions> = {}): TerminalOptions => ({
    dataDirectory: join(place, `terminal ${account}`),
    ...{ platform, chainId, contract, name, logger },
    hubUrl: board.url,
    rpcUrl: chain.url,
    owner: key(account),
    policy: PLAIN,
    attestation: { authorities: [platform.authority], measurements: [platform.measurement], acceptEmulated: true },
    confirmations: 1,
    fromBlock: blockNumber,
    pollMs: 50,
    hubWaitMs: 3_000,
    peerWaitMs: 20_000,
    ...change,
  });
  return {
    ...{ chain, deployment, board, platform, options },
    async gasUsed(transactionHash) {
      const reader = await openRpc({ url: chain.url });
      try {
        return (await reader.getTransactionReceipt(transactionHash))?.gasUsed ?? 0n;
      } finally {
        reader.destroy();
      }
    },
    async start(name, account, change) {
      const terminal = await Terminal.start(options(name, account, change));
      running.add(terminal);
      return terminal;
    },
    async stop() {
      for (const terminal of running) await terminal.stop();
      await board.close();
      await platform.close();
      await chain.stop();
      await rm(place, { recursive: true, force: true });
    },
  };
}
