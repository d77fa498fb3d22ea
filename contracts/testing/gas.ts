/**
 * Measures what the contract's calls cost, with the native coin and values of full width.
 *
 * The goals are upper bounds that the contract was designed for; the measured numbers are the same on every machine.
 */

import { makeChannel, makePayment, type Stage, signExit, type TestChannel } from './fixture.ts';

export interface GasTable {
  open: bigint;
  deposit: bigint;
  /** Both payout addresses get their first credit. */
  closeFresh: bigint;
  /** Both have one already. */
  closeWarm: bigint;
  /** With one pending payment of four transfers; first credits. */
  eject1: bigint;
  /** What each pending payment more adds. */
  ejectEachMore: bigint;
  /** An exit with 400 pending payments of 64 transfers each. */
  exit400: bigint;
}

export const gasGoals: GasTable = {
  open: 55_000n,
  deposit: 40_000n,
  closeFresh: 85_000n,
  closeWarm: 52_000n,
  eject1: 115_000n,
  ejectEachMore: 32_000n,
  exit400: 1n << 24n,
};

const DEPOSIT = 123_456_789_012_345_678n;

export async function measureGas(stage: Stage): Promise<GasTable> {
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
  return { open, deposit, closeFresh, closeWarm, eject1, ejectEachMore: (eject11 - eject1) / 10n, exit400 };
}
