/**
 * Which contract on which chain a terminal deals with. The hub proposes, but nobody's money depends on it
 * (PROTOCOL.md section 2): the chain is the one of the owner's own RPC, the contract's code must be exactly the one that
 * this program was built with, and what was decided at the first start stays.
 */

import type { JsonRpcProvider } from 'ethers';
import { z } from 'zod';
import { paymentChannelsBytecode } from '../../contracts/generated/PaymentChannels.ts';
import { openRpc } from '../../contracts/rpc.ts';
import { domainSeparator } from '../../enclave/core/encoding.ts';
import { type Address, address } from '../../enclave/core/ids.ts';
import { codeOf, Failure, reasonOf, usageFailure } from './failure.ts';
import type { Remembered } from './remembered.ts';

const HUB_TIMEOUT_MS = 10_000;
/** Blocks by which the first start is predated, should a reorganisation move what comes soon after it. */
const REORGANISATION_MARGIN = 100;

const infoSchema = z.object({
  chainId: z.union([z.string().regex(/^\d+$/), z.number().int().nonnegative()]).transform((value) => BigInt(value)),
  contract: z.string().transform((text, context): Address => {
    if (/^0x[0-9a-fA-F]{40}$/.test(text)) return address(text);
    context.addIssue('not an address');
    return z.NEVER;
  }),
  wsUrl: z.string().optional(),
});

export interface Deployment {
  chainId: bigint;
  contract: Address;
  fromBlock: number;
  /** Where terminals connect. */
  hubUrl: string;
}

/**
 * After the first start, hub and RPC may be out of reach: whoever wants to leave his channels needs no hub.
 * @throws Failure HUB_UNREACHABLE, NOT_A_HUB, HUB_CHANGED_CHAIN, FOREIGN_CONTRACT
 * @throws ChainError RPC_UNREACHABLE, WRONG_CHAIN
 */
export async function resolveDeployment(options: {
  hub: string;
  rpc: string;
  remembered: Remembered | undefined;
}): Promise<Deployment> {
  const { remembered } = options;
  const info = await askHub(options.hub).catch((error: unknown) => {
    if (remembered === undefined || codeOf(error) !== 'HUB_UNREACHABLE') throw error;
    return { chainId: remembered.chainId, contract: remembered.contract, wsUrl: remembered.hubUrl };
  });
  if (remembered !== undefined && (remembered.chainId !== info.chainId || remembered.contract !== info.contract)) {
    throw new Failure(
      'HUB_CHANGED_CHAIN',
      `The hub at ${options.hub} works with contract ${info.contract} on chain ${info.chainId}, but this terminal was ` +
        `made for ${remembered.contract} on chain ${remembered.chainId}. Use the right --hub, or another --data for this one.`,
    );
  }
  const { chainId, contract } = info;
  const fromBlock = remembered?.fromBlock ?? (await checkOnChain(options.rpc, info));
  return { chainId, contract, fromBlock, hubUrl: websocketUrl(options.hub, info.wsUrl) };
}

/** Once, at the first start: neither chain nor code can change afterwards. @returns the block to follow the chain from */
async function checkOnChain(rpc: string, named: { chainId: bigint; contract: Address }): Promise<number> {
  const provider = await openRpc({ url: rpc, chainId: named.chainId });
  try {
    await requireGenuineContract(provider, named);
    return Math.max(0, (await provider.getBlockNumber()) - REORGANISATION_MARGIN);
  } finally {
    provider.destroy();
  }
}

async function askHub(hub: string): Promise<z.output<typeof infoSchema>> {
  const url = new URL('/info', httpUrl(hub));
  let answer: unknown;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HUB_TIMEOUT_MS) });
    if (!response.ok) throw new Failure('NOT_A_HUB', `${url.href} answers ${response.status}. Check --hub.`);
    answer = await response.json();
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof SyntaxError) {
      throw new Failure('NOT_A_HUB', `What answers at ${url.href} is no hub. Check --hub.`, { cause: error });
    }
    const why = error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : reasonOf(error);
    throw new Failure(
      'HUB_UNREACHABLE',
      `No hub answers at ${hub} (${why}). Check --hub, or start one: baro hub --help`,
      { cause: error },
    );
  }
  const info = infoSchema.safeParse(answer);
  if (info.success) return info.data;
  throw new Failure('NOT_A_HUB', `What answers at ${url.href} is no hub of this version. Check --hub.`, {
    cause: info.error,
  });
}

/** The http form of what the user gave: hubs speak HTTP and WebSocket on one port. @throws Failure INVALID_URL */
function httpUrl(hub: string): URL {
  const protocols: Readonly<Record<string, string>> = { 'ws:': 'http:', 'wss:': 'https:' };
  try {
    const url = new URL(hub);
    url.protocol = protocols[url.protocol] ?? url.protocol;
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  } catch {
    // Said below.
  }
  throw usageFailure('INVALID_URL', `${JSON.stringify(hub)} is no hub's address. Write it like http://127.0.0.1:8080.`);
}

/** Host and port as the user reaches the hub; what the hub calls itself may only be known inside its own network. */
function websocketUrl(hub: string, own: string | undefined): string {
  const url = httpUrl(hub);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (own !== undefined && URL.canParse(own)) url.pathname = new URL(own).pathname;
  return url.href;
}

/** @throws Failure FOREIGN_CONTRACT: a look-alike that answers rightly could still keep the deposits. */
async function requireGenuineContract(
  provider: JsonRpcProvider,
  named: { chainId: bigint; contract: Address },
): Promise<void> {
  const code = await provider.getCode(named.contract);
  if (isGenuineCode(code, named)) return;
  throw new Failure(
    'FOREIGN_CONTRACT',
    code === '0x'
      ? `The hub names the contract ${named.contract}, but your RPC knows no contract there. Check --rpc and --hub.`
      : `The hub names the contract ${named.contract}, whose code is not the one that this version of baro was built ` +
          'with. Do not deposit there; ask the hub which version it runs.',
  );
}

/**
 * Runtime code is the tail of creation code, but for immutables: there the compiler leaves 32 zero bytes behind PUSH32,
 * and the deployed code has the domain separator. Nothing else may differ.
 */
export function isGenuineCode(code: string, named: { chainId: bigint; contract: Address }): boolean {
  const push32 = '7f';
  const domain = domainSeparator(named.chainId, named.contract).slice(2);
  const runtime = code
    .toLowerCase()
    .slice(2)
    .replaceAll(`${push32}${domain}`, `${push32}${'00'.repeat(32)}`);
  return runtime.length > 1_000 && paymentChannelsBytecode.endsWith(runtime);
}
