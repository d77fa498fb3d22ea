import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Terminal, type TerminalOptions, TerminalRefusal } from '../client/index.ts';
import { deployPaymentChannels } from '../contracts/deploy.ts';
import { type DevelopmentChain, startDevelopmentChain } from '../contracts/development-chain.ts';
import { openRpc } from '../contracts/rpc.ts';
import { type Address, NATIVE } from '../enclave/core/ids.ts';
import type { OwnerPolicy } from '../enclave/core/order.ts';
import { EmulatedPlatform } from '../enclave/host/platform.ts';
import { seeded } from './testing/names.ts';
import { type HubProgram, startHubProgram } from './testing/program.ts';

/** A hub as a real process under four terminals with real enclaves: wallet – first – second – merchant. */
const KILLS = 5;
const IN_FLIGHT = 30;
const DEPOSIT = 1_000_000n;
const FEE = 3n;

const forwards: OwnerPolicy['forwarding'] = [
  {
    token: NATIVE,
    minAmount: 1n,
    maxAmount: DEPOSIT,
    feeBase: FEE,
    feePpm: 0,
    maxPendingPerPeer: 100,
    maxPendingPerPayer: 100,
  },
];
const ends: OwnerPolicy = { forwarding: [], acceptAnything: true, prepareLast: false, maxPending: 100 };
const silent = (): void => undefined;

const place = mkdtempSync(join(tmpdir(), 'baro-kill-'));
let chain: DevelopmentChain;
let platform: EmulatedPlatform;
let contract: Address;
let fromBlock: number;
let hub: HubProgram;
let port = 0;
const terminals: Terminal[] = [];

const key = (account: number): Wallet => new Wallet(chain.accounts[account]?.privateKey ?? '');

beforeAll(async () => {
  chain = await startDevelopmentChain();
  const provider = await openRpc({ url: chain.url });
  const deployed = await deployPaymentChannels(key(9).connect(provider));
  provider.destroy();
  [contract, fromBlock] = [deployed.address, deployed.blockNumber];
  platform = await EmulatedPlatform.open(join(place, 'platform'));
  await startHub();
  for (const [account, name] of ['wallet', 'first', 'second', 'merchant'].entries()) {
    terminals.push(await Terminal.start(options(account, name)));
  }
  for (const [index, opener] of terminals.entries()) {
    const peer = terminals[index + 1];
    if (!peer) continue;
    const { channelId } = await opener.openChannel({ peer: peer.identity, deposit: DEPOSIT });
    await peer.deposit({ channelId, amount: DEPOSIT });
  }
});

afterAll(async () => {
  for (const terminal of terminals) await terminal.stop();
  await hub.kill();
  await platform.close();
  await chain.stop();
  rmSync(place, { recursive: true });
});

async function startHub(): Promise<void> {
  const values = {
    data: join(place, 'hub'),
    rpc: chain.url,
    'chain-id': String(chain.chainId),
    contract,
    port: String(port),
    'from-block': String(fromBlock),
    'log-level': 'warn',
    'accept-authority': platform.authority,
    'accept-measurement': platform.measurement,
  };
  const args = Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
  hub = await startHubProgram([...args, '--accept-emulated']);
  port = hub.port;
}

function options(account: number, name: string): TerminalOptions {
  return {
    ...{ platform, contract, fromBlock, name, confirmations: 1, pollMs: 50, hubWaitMs: 30_000 },
    dataDirectory: join(place, name),
    chainId: BigInt(chain.chainId),
    hubUrl: `ws://127.0.0.1:${port}`,
    rpcUrl: chain.url,
    owner: key(account),
    policy: account === 0 || account === 3 ? ends : { ...ends, forwarding: forwards },
    attestation: { authorities: [platform.authority], measurements: [platform.measurement], acceptEmulated: true },
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  };
}

/** Asks until it is so; the test's own limit is the end of patience. */
async function until<T>(look: () => Promise<T | null> | T | null): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const at = (index: number): Terminal => {
  const terminal = terminals[index];
  if (!terminal) throw new Error(`there is no terminal ${index}`);
  return terminal;
};

interface Try {
  payer: number;
  payee: number;
  amount: bigint;
  /** `under way`, `complete`, `aborted`, or what it was refused with. */
  outcome: string;
  fee: bigint;
}

/** Who pays whom how much, and how it ended. */
function pay(random: () => number): Try {
  const payer = Math.floor(random() * 4);
  const payee = (payer + 1 + Math.floor(random() * 3)) % 4;
  const made: Try = { payer, payee, amount: BigInt(1 + Math.floor(random() * 2_000)), outcome: 'under way', fee: 0n };
  at(payer)
    .pay({ payee: at(payee).identity, amount: made.amount })
    .then(({ status, fee }) => {
      made.outcome = status;
      made.fee = fee;
    })
    .catch((error: unknown) => {
      made.outcome = error instanceof TerminalRefusal ? `refused ${error.code}` : String(error);
    });
  return made;
}

const spendables = (): Promise<bigint[]> =>
  Promise.all(terminals.map(async (terminal) => (await terminal.balance())[0]?.spendable ?? 0n));

/** Resolves after this many more steps of payments in the four enclaves, or when `isLate` says after one. */
function stepsOf(count: number, isLate: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const offs = terminals.map((terminal) =>
      terminal.on('payment', () => {
        if (--left > 0 && !isLate()) return;
        for (const off of offs) off();
        resolve();
      }),
    );
  });
}

test(`a hub that is killed outright ${KILLS} times with ${IN_FLIGHT} payments in flight loses none of them`, async () => {
  const seed = Number(process.env['BARO_SEED'] ?? Date.now() % 2 ** 31);
  console.log(`kill test, seed ${seed} (repeat it with BARO_SEED=${seed})`);
  const random = seeded(seed);
  // Ready when both ends of the line can be reached from each other.
  for (const [from, to] of [
    [0, 3],
    [3, 0],
  ] as const) {
    const look = () => at(from).quote({ payee: at(to).identity, amount: 1n });
    await until(() => look().catch(() => null));
  }
  const before = await spendables();
  const tries: Try[] = [];
  for (let kills = 0; kills < KILLS; kills++) {
    const open = (): number => tries.filter((made) => made.outcome === 'under way').length;
    while (open() < IN_FLIGHT) tries.push(pay(random));
    await stepsOf(1 + Math.floor(random() * 150), () => open() <= 5);
    await hub.kill();
    await startHub();
  }
  await until(() => (tries.some((made) => made.outcome === 'under way') ? null : true));
  const count = new Map<string, number>();
  for (const { outcome } of tries) count.set(outcome, (count.get(outcome) ?? 0) + 1);
  console.log(`seed ${seed}: ${tries.length} payments`, Object.fromEntries(count));
  // All that ends a payment but completion and ABORT is a refusal before anything was locked.
  expect([...count.keys()].filter((each) => each !== 'complete' && each !== 'aborted')).toEqual([]);

  const health = await until(async () => {
    const found = (await (await fetch(new URL('/health', hub.url))).json()) as { paymentsInFlight: number };
    return found.paymentsInFlight === 0 ? found : null;
  });
  expect(health).toMatchObject({ status: 'ok', sessions: 4 });
  const views = await until(async () => {
    const found = await Promise.all(terminals.map((terminal) => terminal.channels()));
    return found.flat().every((view) => view.pendingCount === 0) ? found.flat() : null;
  });
  for (const view of views) {
    expect(view.ownBalance + view.peerBalance).toBe(2n * DEPOSIT);
    const other = views.find((each) => each.channelId === view.channelId && each.side !== view.side);
    expect([other?.ownBalance, other?.peerBalance]).toEqual([view.peerBalance, view.ownBalance]);
  }
  const expected = [...before];
  for (const { payer, payee, amount, fee, outcome } of tries) {
    if (outcome !== 'complete') continue;
    expected[payer] = (expected[payer] ?? 0n) - amount - fee;
    expected[payee] = (expected[payee] ?? 0n) + amount;
    const [low, high] = payer < payee ? [payer, payee] : [payee, payer];
    for (let between = low + 1; between < high; between++) expected[between] = (expected[between] ?? 0n) + FEE;
  }
  expect(await spendables(), `seed ${seed}`).toEqual(expected);
  const { paymentId, status } = await at(0).pay({ payee: at(3).identity, amount: 5n });
  expect([status, paymentId.length]).toEqual(['complete', 66]);
});
