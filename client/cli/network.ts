/**
 * A whole network on one machine, every part a process of its own: chain, hub, wallet, two intermediaries, merchant.
 * The terminals share one emulated platform, hence one attestation authority; each has its own data directory.
 */

import { join } from 'node:path';
import { JsonRpcProvider, Wallet } from 'ethers';
import { z } from 'zod';
import { deployPaymentChannels } from '../../contracts/deploy.ts';
import { type Address, address } from '../../enclave/core/ids.ts';
import { EmulatedPlatform } from '../../enclave/host/platform.ts';
import { statusAnswer } from './answers.ts';
import type { Children } from './children.ts';
import { ControlClient } from './control-client.ts';
import { Failure } from './failure.ts';
import { loadOwnerKey } from './owner-key.ts';
import { makePrivateDirectory } from './private-file.ts';
import { programFile } from './programs.ts';

/** In the order of the route. */
const TERMINALS = ['wallet', 'intermediary1', 'intermediary2', 'merchant'] as const;
type TerminalName = (typeof TERMINALS)[number];

const EACH_OWNER_GETS = 100n * 10n ** 18n;
const DEPLOYER = TERMINALS.length;
/** Chain first, terminals last: the later one depends on the earlier one. */
const STAGE = { chain: 0, hub: 1, terminal: 2 } as const;
const POLL_MS = 100;
const ONLINE_ATTEMPTS = 150;

export interface Member {
  name: TerminalName;
  data: string;
  identity: string;
  /** The owner's own address on chain. */
  owner: Address;
  client: ControlClient;
}

export interface Network {
  directory: string;
  chainUrl: string;
  hubUrl: string;
  contract: Address;
  /** What each owner got to begin with. */
  funded: bigint;
  provider: JsonRpcProvider;
  /** As TERMINALS. */
  members: readonly Member[];
}

const chainReady = z.object({
  ready: z.literal(true),
  url: z.string(),
  chainId: z.number(),
  accounts: z.array(z.object({ address: z.string(), privateKey: z.string() })),
});
const hubReady = z.object({ ready: z.literal(true), url: z.string(), port: z.number() });
const terminalReady = z.object({ ready: z.literal(true), identity: z.string() });
type ChainReady = z.output<typeof chainReady>;

/** What every start needs. */
interface Site {
  directory: string;
  children: Children;
  /** Hears what has been done. */
  step: (done: string) => void;
}

/** @param site.children takes what is started; the caller stops it, also after a failure */
export async function startNetwork(site: Site): Promise<Network> {
  const { directory } = site;
  await makePrivateDirectory(directory);
  const [chain, platform, owners] = await Promise.all([
    startChain(site),
    describePlatform(join(directory, 'platform')),
    Promise.all(TERMINALS.map(async (name) => (await loadOwnerKey(join(directory, name))).wallet)),
  ]);
  const options = { staticNetwork: true, cacheTimeout: -1, pollingInterval: POLL_MS };
  const provider = new JsonRpcProvider(chain.url, chain.chainId, options);
  const deployed = await deployPaymentChannels(account(chain, DEPLOYER, provider));
  site.step(`contract       ${deployed.address}`);
  const [hub] = await Promise.all([
    startHub(site, { chain, platform, contract: deployed.address, fromBlock: deployed.blockNumber }),
    ...owners.map((owner, at) => fund(account(chain, at, provider), owner.address)),
  ]);
  const members = await Promise.all(
    owners.map((owner, at) => startTerminal(site, { at, owner: address(owner.address), hub: hub.url, rpc: chain.url })),
  );
  const urls = { chainUrl: chain.url, hubUrl: hub.url };
  return { directory, ...urls, contract: deployed.address, funded: EACH_OWNER_GETS, provider, members };
}

async function startChain({ directory, children, step }: Site): Promise<ChainReady> {
  const args = [programFile('client/cli/main.js'), 'chain', '--json'];
  const program = { name: 'chain', command: process.execPath, args, stage: STAGE.chain };
  const chain = await children.start({ ...program, logFile: join(directory, 'chain.log') }, chainReady);
  step(`chain          development chain ${chain.chainId} at ${chain.url}`);
  return chain;
}

async function startHub(
  { directory, children, step }: Site,
  on: {
    chain: ChainReady;
    platform: { authority: string; measurement: string };
    contract: Address;
    fromBlock: number;
  },
): Promise<{ url: string }> {
  const args = [programFile('hub/main.js'), '--data', join(directory, 'hub'), '--host', '127.0.0.1', '--port', '0'];
  args.push('--rpc', on.chain.url, '--chain-id', String(on.chain.chainId), '--contract', on.contract);
  args.push('--from-block', String(on.fromBlock), '--confirmations', '1', '--json-ready');
  args.push('--accept-authority', on.platform.authority, '--accept-measurement', on.platform.measurement);
  args.push('--accept-emulated');
  const program = { name: 'hub', command: process.execPath, args, stage: STAGE.hub };
  const hub = await children.start({ ...program, logFile: join(directory, 'hub.log') }, hubReady);
  step(`hub            ${hub.url}`);
  return hub;
}

async function startTerminal(
  { directory, children, step }: Site,
  on: { at: number; owner: Address; hub: string; rpc: string },
): Promise<Member> {
  const name = TERMINALS[on.at] ?? 'wallet';
  const data = join(directory, name);
  const args = [programFile('client/cli/main.js'), 'terminal', '--data', data, '--name', name, '--hub', on.hub];
  args.push('--rpc', on.rpc, '--platform', join(directory, 'platform'), '--accept-emulated', '--accept-anything');
  args.push('--poll-ms', String(POLL_MS), '--log-level', 'info', '--json-ready');
  if (name.startsWith('intermediary')) args.push('--forward');
  const program = { name, command: process.execPath, args, stage: STAGE.terminal };
  const { identity } = await children.start({ ...program, logFile: join(directory, `${name}.log`) }, terminalReady);
  const client = await ControlClient.open(data);
  await untilOnline(name, client);
  step(`${name.padEnd(15)}${identity}`);
  return { name, data, identity, owner: on.owner, client };
}

/** Terminals start whether or not the hub answers; what follows here needs it. */
async function untilOnline(name: string, client: ControlClient): Promise<void> {
  for (let attempt = 0; attempt < ONLINE_ATTEMPTS; attempt++) {
    const { online } = await client.call({ method: 'GET', path: '/status', answer: statusAnswer });
    if (online) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Failure('HUB_UNREACHABLE', `${name} got no session with the hub. See its log and the hub's.`);
}

/** What hub and terminals have to accept: made here before any of them starts. */
async function describePlatform(directory: string): Promise<{ authority: string; measurement: string }> {
  const platform = await EmulatedPlatform.open(directory);
  const { authority, measurement } = platform;
  await platform.close();
  return { authority, measurement };
}

function account(chain: ChainReady, index: number, provider: JsonRpcProvider): Wallet {
  const found = chain.accounts[index];
  if (found === undefined) throw new Failure('CHAIN_NOT_STARTED', `The development chain has no account ${index}.`);
  return new Wallet(found.privateKey, provider);
}

async function fund(from: Wallet, to: string): Promise<void> {
  const sent = await from.sendTransaction({ to, value: EACH_OWNER_GETS });
  await sent.wait();
}
