/**
 * The way to a chain's JSON-RPC: a provider that fails fast instead of retrying for ever, and what to know of the chain
 * behind it.
 *
 * ethers' own provider detects the network by itself, prints to the console and never gives up while an RPC is down;
 * here the chain is asked once, and every later request either answers or throws within `timeoutMs`.
 */

import { FetchRequest, JsonRpcProvider, Network, type Provider } from 'ethers';
import { type Bytes32, bytes32 } from '../enclave/core/ids.ts';
import { ChainError, translateError } from './errors.ts';

const TIMEOUT_MS = 15_000;

export interface RpcOptions {
  url: string;
  /** Refuse any other chain. Without it, whichever chain answers is taken. */
  chainId?: bigint | undefined;
  timeoutMs?: number | undefined;
}

/**
 * A provider for `url`, after one answer from it.
 * @throws ChainError RPC_UNREACHABLE, WRONG_CHAIN
 */
export async function openRpc(options: RpcOptions): Promise<JsonRpcProvider> {
  const request = new FetchRequest(options.url);
  request.timeout = options.timeoutMs ?? TIMEOUT_MS;
  const chainId = await askChainId(request.clone());
  if (options.chainId !== undefined) requireChain(options.chainId, chainId);
  const staticNetwork = Network.from(chainId);
  return new JsonRpcProvider(request, staticNetwork, { staticNetwork, cacheTimeout: -1, pollingInterval: 500 });
}

/** @throws ChainError WRONG_CHAIN unless `actual` is `expected` */
export function requireChain(expected: bigint, actual: bigint): void {
  if (actual === expected) return;
  throw new ChainError(
    'WRONG_CHAIN',
    `The RPC serves chain ${actual}, but chain ${expected} is configured. Change the RPC's address or the chain id.`,
  );
}

async function askChainId(request: FetchRequest): Promise<bigint> {
  request.body = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] };
  try {
    const response = await request.send();
    response.assertOk();
    const answer = response.bodyJson as { result?: unknown };
    if (typeof answer.result !== 'string') throw new ChainError('RPC_REFUSED', 'The RPC does not tell its chain id.');
    return BigInt(answer.result);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new ChainError('RPC_REFUSED', 'What answers at this address is no JSON-RPC of a chain. Check it.', error);
    }
    throw translateError(error);
  }
}

/** Tells chains apart, also two development chains with the same id. */
export interface ChainFingerprint {
  chainId: bigint;
  /** Hash of block 0. */
  genesisHash: Bytes32;
}

/** Asks the RPC itself, not what the provider remembers. @throws ChainError RPC_UNREACHABLE, RPC_REFUSED */
export async function chainFingerprint(provider: Provider): Promise<ChainFingerprint> {
  try {
    const chainId =
      provider instanceof JsonRpcProvider
        ? BigInt((await provider.send('eth_chainId', [])) as string)
        : (await provider.getNetwork()).chainId;
    const genesis = await provider.getBlock(0);
    if (!genesis?.hash)
      throw new ChainError('RPC_REFUSED', 'The RPC does not serve block 0. Use one with full history.');
    return { chainId, genesisHash: bytes32(genesis.hash) };
  } catch (error) {
    throw translateError(error);
  }
}
