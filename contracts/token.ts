/**
 * ERC-20 tokens as seen from outside: what they are called, who holds how much, what the contract may fetch.
 *
 * Invariant: whatever a token says is a stranger's word. Texts are cut and cleaned before anybody is shown them, and
 * `decimals` serves to print amounts, never to compute with them.
 */

import { Interface, type Provider } from 'ethers';
import type { Address } from '../enclave/core/ids.ts';
import { ChainError, translateError } from './errors.ts';

/** The part of ERC-20 that is used here, with the two optional fields of text in both forms that exist. */
export const tokenInterface = new Interface([
  'function symbol() view returns (string)',
  'function decimals() view returns (uint8)',
  'function balanceOf(address account) view returns (uint256)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function approve(address spender, uint256 amount)',
]);

/** What a token says of itself. */
export interface TokenFacts {
  /** At most 16 printable characters; '?' where it has none. Anybody can call a token anything. */
  symbol: string;
  /** Digits after the point when amounts are printed; 0 where it has none. */
  decimals: number;
}

const MAX_SYMBOL = 16;

/** @throws ChainError NO_CONTRACT unless it is a contract that tells balances; RPC_UNREACHABLE, RPC_REFUSED */
export async function readToken(provider: Provider, token: Address): Promise<TokenFacts> {
  await readAmount(provider, token, { name: 'balanceOf', args: [token] });
  const [symbol, decimals] = await Promise.all([
    ask(provider, token, { name: 'symbol', args: [] }),
    ask(provider, token, { name: 'decimals', args: [] }),
  ]);
  return {
    symbol: readable(symbol),
    decimals: decimals?.length === 66 && BigInt(decimals) < 256n ? Number(BigInt(decimals)) : 0,
  };
}

/** What `account` holds of the token itself, outside channels and credits. @throws ChainError */
export async function tokenBalance(provider: Provider, of: { token: Address; account: Address }): Promise<bigint> {
  return readAmount(provider, of.token, { name: 'balanceOf', args: [of.account] });
}

/** What `spender` may fetch from `owner`. @throws ChainError */
export async function tokenAllowance(
  provider: Provider,
  of: { token: Address; owner: Address; spender: Address },
): Promise<bigint> {
  return readAmount(provider, of.token, { name: 'allowance', args: [of.owner, of.spender] });
}

interface Question {
  name: string;
  args: readonly Address[];
}

async function readAmount(provider: Provider, token: Address, question: Question): Promise<bigint> {
  const answer = await ask(provider, token, question);
  if (answer !== undefined && answer.length >= 66) return BigInt(answer.slice(0, 66));
  throw new ChainError(
    'NO_CONTRACT',
    `There is no ERC-20 token at ${token} on this chain. Check the address, and that the RPC is of the right chain.`,
  );
}

/** @returns hex, or undefined where the token has no answer */
async function ask(provider: Provider, token: Address, question: Question): Promise<string | undefined> {
  try {
    return await provider.call({
      to: token,
      data: tokenInterface.encodeFunctionData(question.name, [...question.args]),
    });
  } catch (error) {
    const translated = translateError(error);
    if (translated instanceof ChainError) throw translated;
    return undefined;
  }
}

/** A symbol as `string`, or as the `bytes32` of older tokens. */
function readable(answer: string | undefined): string {
  let text = '';
  if (answer !== undefined && answer.length === 66) {
    text = Buffer.from(answer.slice(2), 'hex').toString('utf8');
  } else if (answer !== undefined) {
    try {
      text = String(tokenInterface.decodeFunctionResult('symbol', answer)[0]);
    } catch {
      return '?';
    }
  }
  return text.replace(/[^\x21-\x7e]/g, '').slice(0, MAX_SYMBOL) || '?';
}
