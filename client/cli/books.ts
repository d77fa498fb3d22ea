/**
 * The books of a finished demonstration, read from the chain alone: per channel and in total, what was deposited is what
 * was credited; what was credited was withdrawn; and every owner has what it began with, less deposits and gas, plus
 * withdrawals, to the last base unit (PROTOCOL.md section 7, Conservation).
 */

import type { JsonRpcProvider } from 'ethers';
import { type ChannelEvent, decodeEvent } from '../../contracts/events.ts';
import type { Address } from '../../enclave/core/ids.ts';

interface ClosedChannel {
  id: string;
  depositA: bigint;
  depositB: bigint;
  creditA: bigint;
  creditB: bigint;
  closeTx: string;
}

/** What an owner paid to and got from the chain since it was funded. */
interface OwnerAccount {
  owner: Address;
  funded: bigint;
  deposited: bigint;
  gas: bigint;
  withdrawn: bigint;
  balance: bigint;
}

export interface Books {
  channels: ClosedChannel[];
  owners: OwnerAccount[];
  /** What is left in the contract. */
  contractBalance: bigint;
}

/** Every discrepancy in words; none: conserved. */
export function audit(books: Books): string[] {
  const wrong: string[] = [];
  const require = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(what);
  };
  for (const { id, depositA, depositB, creditA, creditB } of books.channels) {
    require(depositA + depositB ===
      creditA + creditB, `channel ${id}: deposits ${depositA + depositB}, credits ${creditA + creditB}`);
  }
  for (const { owner, funded, deposited, gas, withdrawn, balance } of books.owners) {
    const due = funded - deposited - gas + withdrawn;
    require(due === balance, `owner ${owner}: has ${balance}, should have ${due}`);
  }
  const total = (values: readonly bigint[]): bigint => values.reduce((sum, value) => sum + value, 0n);
  const deposited = total(books.channels.map((channel) => channel.depositA + channel.depositB));
  const credited = total(books.channels.map((channel) => channel.creditA + channel.creditB));
  const withdrawn = total(books.owners.map((owner) => owner.withdrawn));
  require(deposited ===
    total(books.owners.map((owner) => owner.deposited)), 'owners did not deposit what the channels hold');
  require(credited === withdrawn, `credited ${credited}, withdrawn ${withdrawn}`);
  require(books.contractBalance === 0n, `the contract still holds ${books.contractBalance}`);
  return wrong;
}

/** Reads a development chain from its first block on; one of thousands of blocks would take its time. */
export async function readBooks(
  provider: JsonRpcProvider,
  of: { contract: Address; owners: readonly Address[]; funded: bigint },
): Promise<Books> {
  const logs = await provider.getLogs({ address: of.contract, fromBlock: 0, toBlock: 'latest' });
  const events = logs.map(decodeEvent);
  const spending = await readSpending(provider, of.contract);
  const owners = await Promise.all(
    of.owners.map(async (owner): Promise<OwnerAccount> => {
      const { deposited, gas } = spending.get(owner) ?? { deposited: 0n, gas: 0n };
      const withdrawn = events.reduce(
        (sum, event) => sum + (event.kind === 'withdrawn' && event.to === owner ? event.amount : 0n),
        0n,
      );
      return { owner, funded: of.funded, deposited, gas, withdrawn, balance: await provider.getBalance(owner) };
    }),
  );
  return { channels: closedChannels(events), owners, contractBalance: await provider.getBalance(of.contract) };
}

function closedChannels(events: readonly ChannelEvent[]): ClosedChannel[] {
  const deposits = new Map<string, bigint>();
  const closed: ClosedChannel[] = [];
  for (const event of events) {
    if (event.kind === 'deposited') deposits.set(`${event.channelId} ${event.side}`, event.total);
    if (event.kind !== 'settled') continue;
    const { channelId: id, creditA, creditB, transactionHash: closeTx } = event;
    const deposited = (side: 'A' | 'B'): bigint => deposits.get(`${id} ${side}`) ?? 0n;
    closed.push({ id, depositA: deposited('A'), depositB: deposited('B'), creditA, creditB, closeTx });
  }
  return closed;
}

/** Per sender (lower case): coins sent to the contract, and gas paid. */
async function readSpending(
  provider: JsonRpcProvider,
  contract: Address,
): Promise<Map<string, { deposited: bigint; gas: bigint }>> {
  const spending = new Map<string, { deposited: bigint; gas: bigint }>();
  const head = await provider.getBlockNumber();
  for (let number = 1; number <= head; number++) {
    const block = await provider.getBlock(number, true);
    for (const transaction of block?.prefetchedTransactions ?? []) {
      const receipt = await provider.getTransactionReceipt(transaction.hash);
      const sender = transaction.from.toLowerCase();
      const before = spending.get(sender) ?? { deposited: 0n, gas: 0n };
      const pays = receipt?.status === 1 && transaction.to?.toLowerCase() === contract;
      spending.set(sender, {
        deposited: before.deposited + (pays ? transaction.value : 0n),
        gas: before.gas + (receipt?.fee ?? 0n),
      });
    }
  }
  return spending;
}
