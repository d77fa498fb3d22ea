/**
 * Measures what the contract's calls cost, with the native coin and values of full width.
 *
 * The goals are upper bounds that the contract was designed for. The measured numbers are the same on every machine and
 * in every run: keys, salts and nonces are hashes of their count in the process, on a chain of their own.
 */

import { z } from 'zod';
import { evmVersion, optimizerRuns } from '../compile.js';
import { makeChannel, makePayment, type Stage, setStage, signExit, type TestChannel } from './fixture.ts';

const count = z.int();
/** Gas is counted in units that fit a number; nobody's money. */
export const gasSnapshotSchema = z.strictObject({
  open: count,
  deposit: count,
  /** Both payout addresses get their first credit. */
  closeFresh: count,
  /** Both have one already. */
  closeWarm: count,
  /** With one pending payment of four transfers; first credits. */
  eject1: count,
  /** What each pending payment more adds. */
  ejectEachMore: count,
  /** An exit with 400 pending payments of 64 transfers each. */
  exit400: count,
  evmVersion: z.string(),
  optimizerRuns: count,
});
export type GasSnapshot = z.infer<typeof gasSnapshotSchema>;
export type GasTable = Omit<GasSnapshot, 'evmVersion' | 'optimizerRuns'>;

export const gasGoals: GasTable = {
  open: 55_000,
  deposit: 40_000,
  closeFresh: 85_000,
  closeWarm: 52_000,
  eject1: 115_000,
  ejectEachMore: 32_000,
  exit400: 2 ** 24,
};

const DEPOSIT = 123_456_789_012_345_678n;

async function measureGas(stage: Stage): Promise<GasSnapshot> {
  const { channels } = stage;
  const { domain } = channels;
  const openBoth = async (channel: TestChannel): Promise<{ open: bigint; deposit: bigint }> => {
    const opened = await channels.open({ identity: channel.identity, side: 'A', amount: DEPOSIT });
    const deposited = await channels.deposit({ identity: channel.identity, side: 'B', amount: DEPOSIT });
    return { open: opened.gasUsed, deposit: deposited.gasUsed };
  };
  const close = async (channel: TestChannel): Promise<bigint> => {
    const sums = { sentA: DEPOSIT / 3n, sentB: DEPOSIT / 7n };
    const { identity, signature } = signExit(domain, channel, sums);
    return (await channels.close({ identity, ...sums, signature })).gasUsed;
  };
  const eject = async (payments: number, transfers: number): Promise<bigint> => {
    const channel = makeChannel(domain);
    await openBoth(channel);
    const legs = [{ channel, amount: DEPOSIT / 1_000n, fromA: true }];
    const pending = Array.from({ length: payments }, () => ({
      payment: makePayment(domain, legs, transfers),
      phase: 'POST-UPDATE' as const,
    }));
    return (await channels.eject([signExit(domain, channel, { sentA: DEPOSIT / 3n, pending })])).gasUsed;
  };

  const first = makeChannel(domain);
  const { payoutA, payoutB } = first.identity;
  const second = makeChannel(domain, { payoutA, payoutB });
  const { open, deposit } = await openBoth(first);
  await openBoth(second);
  const [closeFresh, closeWarm] = [await close(first), await close(second)];
  const [eject1, eject11, exit400] = [await eject(1, 4), await eject(11, 4), await eject(400, 64)];
  return {
    open: Number(open),
    deposit: Number(deposit),
    closeFresh: Number(closeFresh),
    closeWarm: Number(closeWarm),
    eject1: Number(eject1),
    ejectEachMore: Number((eject11 - eject1) / 10n),
    exit400: Number(exit400),
    evmVersion,
    optimizerRuns,
  };
}

export async function measureOnFreshChain(): Promise<GasSnapshot> {
  const stage = await setStage();
  try {
    return await measureGas(stage);
  } finally {
    await stage.chain.stop();
  }
}

const labels: Readonly<Record<keyof GasTable, string>> = {
  open: 'open with a deposit',
  deposit: 'deposit',
  closeFresh: 'close, both credits new',
  closeWarm: 'close, both credits exist',
  eject1: 'eject with one pending payment of four transfers, both credits new',
  ejectEachMore: 'each pending payment more',
  exit400: 'exit with 400 pending payments of 64 transfers',
};

/** For people. */
export function gasTable(snapshot: GasSnapshot): string {
  const grouped = (gas: number): string => gas.toLocaleString('en-US').padStart(12);
  const rows = Object.entries(labels).map(([name, label]) => {
    const key = name as keyof GasTable;
    return `${label.padEnd(66)} ${grouped(snapshot[key])} ${grouped(gasGoals[key])}`;
  });
  const head = `${'call'.padEnd(66)} ${'gas'.padStart(12)} ${'goal'.padStart(12)}`;
  const settings = `EVM version ${snapshot.evmVersion}, optimizer with ${snapshot.optimizerRuns.toLocaleString('en-US')} runs, through the IR`;
  return [head, ...rows, '', settings].join('\n');
}
