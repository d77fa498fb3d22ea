/** The follower against a real chain: order, depth, chunks, restarts, dead and exchanged chains. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deployPaymentChannels } from './deploy.ts';
import { startDevelopmentChain } from './development-chain.ts';
import { followChannels } from './follow.ts';
import { PaymentChannels } from './payment-channels.ts';
import { chainFingerprint, openRpc } from './rpc.ts';
import { makeChannel, makePayment, type Stage, setStage, signExit, signerOf, signRecord } from './testing/fixture.ts';
import { endedBy, strictRpc, TestFollower } from './testing/follower.ts';

let stage: Stage;
let channels: PaymentChannels;
beforeAll(async () => {
  stage = await setStage();
  channels = stage.channels;
});
afterAll(() => stage.chain.stop());

const mine = (blocks: number): Promise<unknown> => stage.provider.send('anvil_mine', [`0x${blocks.toString(16)}`]);
const follow = (options: Partial<ConstructorParameters<typeof TestFollower>[0]> = {}): TestFollower =>
  new TestFollower({ provider: stage.provider, address: channels.address, fromBlock: stage.deployedAt, ...options });
const open = (amount: bigint): Promise<{ blockNumber: number }> =>
  channels.open({ identity: makeChannel(channels.domain).identity, side: 'A', amount });

test('every event arrives typed and in order, with its place in the chain', async () => {
  const channel = makeChannel(channels.domain);
  const { identity, id } = channel;
  const payment = makePayment(channels.domain, [{ channel, amount: 3n, fromA: true }], 2);
  const other = makePayment(channels.domain, [{ channel, amount: 1n, fromA: false }], 2);
  const { blockNumber } = await channels.open({ identity, side: 'A', amount: 10n });
  await channels.deposit({ identity, side: 'B', amount: 5n });
  await channels.record(signRecord(channels.domain, channel, { payment: other, outcome: 'VOID' }));
  await channels.eject([signExit(channels.domain, channel, { pending: [{ payment, phase: 'POST-UPDATE' }] })]);
  const last = await channels.withdraw({ account: identity.payoutA });

  const follower = follow({ fromBlock: blockNumber });
  await follower.until(() => follower.cursor > last.blockNumber);
  await follower.stop();
  const { events } = follower;
  expect(events).toMatchObject([
    { kind: 'opened', channelId: id, identity, blockNumber },
    { kind: 'deposited', channelId: id, side: 'A', total: 10n, blockNumber },
    { kind: 'deposited', channelId: id, side: 'B', total: 5n },
    { kind: 'outcome', paymentId: other.id, outcome: 'VOID' },
    { kind: 'outcome', paymentId: payment.id, outcome: 'APPLIED' },
    { kind: 'settled', channelId: id, creditA: 7n, creditB: 8n, how: 'eject' },
    {
      kind: 'withdrawn',
      account: identity.payoutA,
      to: identity.payoutA,
      amount: 7n,
      transactionHash: last.transactionHash,
    },
  ]);
  expect(events.map((event) => event.logIndex)).toEqual([0, 1, 0, 0, 0, 1, 0]);
});

test('a stale exit arrives with all that it takes to finalise it', async () => {
  const channel = makeChannel(channels.domain, { challengePeriod: 60 });
  const { identity, id } = channel;
  const legs = [{ channel, amount: 3n, fromA: false }];
  const payments = [1, 2].map(() => makePayment(channels.domain, legs, 2));
  const [early, late] = payments.map((payment) => payment.id).sort();
  await channels.open({ identity, side: 'A', amount: 10n });
  const pending = payments.map((payment) => ({ payment, phase: 'POST-UPDATE' as const }));
  const exit = signExit(channels.domain, channel, { sentA: 4n, stale: true, pending, by: channel.keyB });
  const { blockNumber } = await channels.submitStale([exit]);
  const follower = follow({ fromBlock: blockNumber });
  await follower.until(() => follower.events.length > 0);
  const [event] = follower.events;
  const entry = { amount: 3n, fromA: false, phase: 'POST-UPDATE' };
  expect(event).toMatchObject({
    kind: 'stale-exit',
    channelId: id,
    side: 'B',
    sentA: 4n,
    sentB: 0n,
    finalAt: (await channels.staleExit(id))?.finalAt,
    pending: [
      { ...entry, paymentId: early },
      { ...entry, paymentId: late },
    ],
  });
  await stage.provider.send('evm_increaseTime', [60]);
  await stage.provider.send('evm_mine', []);
  if (event?.kind !== 'stale-exit') throw new RangeError('a stale exit expected');
  await channels.finalizeStale([{ identity, ...event }]);
  await follower.until(() => follower.events.length > 1);
  await follower.stop();
  // Unrecorded, what B would pay is paid.
  expect(follower.events[1]).toMatchObject({ kind: 'settled', creditA: 10n, creditB: 0n, how: 'stale' });
});

test('an event is handed over only when it is as deep as asked', async () => {
  const { blockNumber } = await open(1n);
  const follower = follow({ fromBlock: blockNumber - 1, confirmations: 3 });
  await mine(1);
  await follower.until(() => follower.cursor === blockNumber);
  expect(follower.events.filter((event) => event.blockNumber === blockNumber)).toEqual([]);
  await mine(1);
  await follower.until(() => follower.cursor === blockNumber + 1);
  await follower.stop();
  expect(follower.events.filter((event) => event.blockNumber === blockNumber)).toHaveLength(2);
});

test('a long past is read in chunks of bounded size, each event once', async () => {
  const first = (await open(1n)).blockNumber;
  await mine(20);
  const last = (await open(2n)).blockNumber;
  const follower = follow({ fromBlock: first, maxBlockRange: 4 });
  await follower.until(() => follower.cursor > last);
  await follower.stop();
  let from = first;
  for (const { cursor, anchor } of follower.batches) {
    expect(cursor - from).toBeLessThanOrEqual(4);
    expect(anchor.blockNumber).toBe(cursor - 1);
    from = cursor;
  }
  expect(follower.events.map((event) => event.kind)).toEqual(['opened', 'deposited', 'opened', 'deposited']);
});

test('fewer blocks are asked for where an RPC refuses so many, and more again after a while', async () => {
  const first = (await open(1n)).blockNumber;
  await mine(80);
  const last = (await open(2n)).blockNumber;
  const strict = await strictRpc(stage.chain.url, 5);
  const follower = follow({ provider: strict.provider, fromBlock: first, maxBlockRange: 64 });
  await follower.until(() => follower.cursor > last);
  await follower.stop();
  strict.close();
  expect(follower.events.map((event) => event.kind)).toEqual(['opened', 'deposited', 'opened', 'deposited']);
  const [trouble] = follower.troubles;
  expect(trouble).toMatchObject({ code: 'RPC_REFUSED' });
  expect(trouble?.message).toMatch(/at most 5 blocks.* Fewer blocks are asked for next/);
  const sizes = strict.asked.filter((blocks) => blocks > 1);
  // Halved until it fits, then doubled and refused once more.
  expect(sizes.slice(0, 6)).toEqual([64, 32, 16, 8, 4, 4]);
  expect(sizes.slice(6)).toContain(8);
});

test('a run that begins at the stored cursor goes on where the last one stopped', async () => {
  const { blockNumber } = await open(1n);
  const before = follow({ fromBlock: blockNumber });
  await before.until(() => before.cursor > blockNumber);
  await before.stop();
  const next = await open(2n);
  const { cursor, batches } = before;
  const anchor = batches.at(-1)?.anchor;
  const after = follow({ fromBlock: cursor, anchor, chain: await chainFingerprint(stage.provider) });
  await after.until(() => after.cursor > next.blockNumber);
  await after.stop();
  expect(before.events).toHaveLength(2);
  expect(after.events.map((event) => event.blockNumber)).toEqual([next.blockNumber, next.blockNumber]);
});

test('an error of the one who stores events ends the run: nothing is skipped behind its back', async () => {
  await open(1n);
  const run = followChannels({
    provider: stage.provider,
    address: channels.address,
    fromBlock: stage.deployedAt,
    confirmations: 1,
    pollMs: 5,
    maxBlockRange: 10,
    onBatch: () => Promise.reject(new Error('the disk is full')),
    onTrouble: () => undefined,
    signal: new AbortController().signal,
  });
  await expect(run).rejects.toThrow('the disk is full');
});

test('a reorganisation below what was handed over ends the run', async () => {
  const { blockNumber } = await open(1n);
  const follower = follow({ fromBlock: blockNumber });
  await follower.until(() => follower.cursor > blockNumber);
  await stage.provider.send('anvil_reorg', [1, []]);
  expect(await endedBy(follower)).toBe('DEEP_REORG');
});

test('the RPC of another chain is refused from the start', async () => {
  const fingerprint = await chainFingerprint(stage.provider);
  const follower = follow({ chain: { ...fingerprint, chainId: 1n } });
  expect(await endedBy(follower)).toBe('WRONG_CHAIN');
  expect(follower.batches).toEqual([]);
});

test('an RPC that dies is reported and waited for, and nothing is missed when it is back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'baro-follow-'));
  const stateFile = join(folder, 'chain.json');
  const first = await startDevelopmentChain({ stateFile });
  const signer = await signerOf(first, 0);
  const deployed = await deployPaymentChannels(signer);
  const follower = new TestFollower({
    provider: await openRpc({ url: first.url }),
    address: deployed.address,
    fromBlock: 0,
  });
  await follower.until(() => follower.cursor > deployed.blockNumber);
  await first.stop();
  await follower.until(() => follower.troubles.length > 0);
  expect(follower.troubles[0]).toMatchObject({ code: 'RPC_UNREACHABLE' });

  const back = await startDevelopmentChain({ stateFile, port: first.port });
  const again = await PaymentChannels.connect({ signer: await signerOf(back, 0), address: deployed.address });
  const { identity } = makeChannel(again.domain);
  const { blockNumber } = await again.open({ identity, side: 'A', amount: 1n });
  await follower.until(() => follower.cursor > blockNumber);
  await follower.stop();
  expect(follower.events.map((event) => event.kind)).toEqual(['opened', 'deposited']);
  await back.stop();
  await rm(folder, { recursive: true });
}, 30_000);

test('a chain that was exchanged for another under the same address is refused', async () => {
  const first = await startDevelopmentChain();
  const provider = await openRpc({ url: first.url });
  const follower = new TestFollower({ provider, address: channels.address, fromBlock: 0 });
  await follower.until(() => follower.cursor > 0);
  await first.stop();
  const second = await startDevelopmentChain({ port: first.port });
  expect(await endedBy(follower)).toBe('WRONG_CHAIN');
  await second.stop();
}, 30_000);
