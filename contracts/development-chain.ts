/**
 * A chain of one's own for tests and demonstrations: anvil, on the loopback interface only, with well-known keys.
 *
 * Its process is stopped by `stop()`, and dies with this one on exit and on SIGINT, SIGTERM and SIGHUP.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { HDNodeWallet } from 'ethers';
import { type Address, address, type Hex } from '../enclave/core/ids.ts';
import { ChainError } from './errors.ts';
import { foundryBinary } from './foundry.ts';

const MNEMONIC = 'test test test test test test test test test test test junk';
const ACCOUNTS = 10;
const START_MS = 20_000;
const STOP_MS = 5_000;
/** The genesis block is dated up to this long ago, so that no two development chains have the same genesis hash. */
const GENESIS_AGE_S = 30 * 24 * 3600;

export interface DevelopmentChainOptions {
  /** TCP port; 0 or undefined: a free one. */
  port?: number | undefined;
  /** Seconds from block to block; undefined: a block for each transaction, at once. */
  blockTimeS?: number | undefined;
  /** 31337 where undefined. */
  chainId?: number | undefined;
  /** Where the chain is kept while it does not run; read at the start where it exists, written when it stops. */
  stateFile?: string | undefined;
}

export interface DevelopmentChain {
  url: string;
  port: number;
  pid: number;
  chainId: number;
  /** Funded with 10,000 coins each. Their keys are public knowledge. */
  accounts: { address: Address; privateKey: Hex }[];
  /** Resolves when the process is gone. May be called again. */
  stop(): Promise<void>;
}

/** @throws ChainError PORT_IN_USE, CHAIN_NOT_STARTED */
export async function startDevelopmentChain(options: DevelopmentChainOptions = {}): Promise<DevelopmentChain> {
  const chainId = options.chainId ?? 31337;
  const flags = ['--host', '127.0.0.1', '--port', String(options.port ?? 0), '--chain-id', String(chainId)];
  flags.push('--mnemonic', MNEMONIC, '--accounts', String(ACCOUNTS), '--color', 'never');
  flags.push('--timestamp', String(await genesisTime(options.stateFile)));
  if (options.blockTimeS !== undefined) flags.push('--block-time', String(options.blockTimeS));
  if (options.stateFile !== undefined) flags.push('--state', options.stateFile);

  const child = spawn(binaryPath(), flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const release = killWithParent(child);
  const stop = async (): Promise<void> => {
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.kill('SIGTERM');
    await exited;
    clearTimeout(force);
    release();
  };

  try {
    const port = await listening(child, options.port ?? 0);
    const url = `http://127.0.0.1:${port}`;
    await setClock(url);
    return { url, port, pid: child.pid ?? -1, chainId, accounts: developmentAccounts(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function binaryPath(): string {
  try {
    return foundryBinary('anvil');
  } catch (error) {
    throw new ChainError(
      'CHAIN_NOT_STARTED',
      `The development chain has no binary for ${process.platform}-${process.arch} here. Run npm install, or use the RPC of another chain.`,
      error,
    );
  }
}

/** Unix seconds of block 0: kept by a chain with a state file, since its genesis hash must stay what it is. */
async function genesisTime(stateFile: string | undefined): Promise<number> {
  const text = stateFile === undefined ? '' : await readFile(stateFile, 'utf8').catch(() => '');
  if (text === '') return Math.floor(Date.now() / 1000) - randomInt(GENESIS_AGE_S);
  try {
    const state = JSON.parse(text) as { blocks: { header: { number: string; timestamp: string } }[] };
    const genesis = state.blocks.find((block) => Number(block.header.number) === 0);
    if (genesis) return Number(genesis.header.timestamp);
    throw new RangeError('no block 0');
  } catch (error) {
    throw new ChainError(
      'CHAIN_NOT_STARTED',
      `${stateFile ?? ''} is no state of a development chain that can be read. Move it away to begin a new chain.`,
      error,
    );
  }
}

/** The port, as soon as the chain accepts connections. */
function listening(child: ChildProcess, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (what: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(
        /address already in use/i.test(output)
          ? new ChainError(
              'PORT_IN_USE',
              `Port ${port} is taken by another program. Stop that one, or choose another port (0: any free one).`,
            )
          : new ChainError('CHAIN_NOT_STARTED', `The development chain ${what}. ${output.trim().slice(-500)}`, cause),
      );
    };
    const timer = setTimeout(() => fail(`was not ready after ${START_MS / 1000} s`), START_MS);
    child.once('error', (error) => fail('could not be started', error));
    child.once('close', () => fail('ended at once'));
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    const read = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const found = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      child.stdout?.off('data', read);
      child.stderr?.removeAllListeners('data');
      // Both are read on and thrown away: a full pipe would stop the chain.
      child.stdout?.resume();
      child.stderr?.resume();
      resolve(Number(found));
    };
    child.stdout?.on('data', read);
  });
}

/** The chain's clock would go on from the date of its genesis. */
async function setClock(url: string): Promise<void> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'evm_setTime',
    params: [Math.floor(Date.now() / 1000)],
  });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const answer = (await response.json()) as { error?: { message: string } };
  if (answer.error) throw new ChainError('CHAIN_NOT_STARTED', `The chain's clock was not set: ${answer.error.message}`);
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const running = new Set<ChildProcess>();

/** One set of handlers for all chains of this process. @returns lets go of `child` */
function killWithParent(child: ChildProcess): () => void {
  if (running.size === 0) {
    process.on('exit', killAll);
    for (const signal of signals) process.on(signal, onSignal);
  }
  running.add(child);
  return () => {
    running.delete(child);
    if (running.size === 0) letGo();
  };
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Somebody else who listens decides when to end, and `exit` follows; alone, we do what the signal would have done. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  for (const child of running) child.kill('SIGTERM');
  letGo();
  process.kill(process.pid, signal);
}

function letGo(): void {
  process.off('exit', killAll);
  for (const signal of signals) process.off(signal, onSignal);
}

let accounts: { address: Address; privateKey: Hex }[] | undefined;

function developmentAccounts(): { address: Address; privateKey: Hex }[] {
  accounts ??= Array.from({ length: ACCOUNTS }, (_, index) => {
    const wallet = HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`);
    return { address: address(wallet.address), privateKey: wallet.privateKey as Hex };
  });
  return accounts;
}
