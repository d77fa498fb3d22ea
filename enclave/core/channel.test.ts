import { describe, expect, it } from 'vitest';
import { MemoryPlatform } from '../../simulations/enclaves/memory-platform.ts';
import {
  ask,
  DOMAIN,
  EVERYTHING,
  evidenceFor,
  type Hop,
  SimulatedNetwork,
  transfer,
} from '../../simulations/enclaves/simulated-network.ts';
import type { ChannelIdentity } from './channel-identity.ts';
import { decode, encode } from './codec.ts';
import { exitDigest, hashChannelIdentity, hashPayment, hashTransfer, merkleRoot, recordDigest } from './encoding.ts';
import { type Address, bytes16, bytes32, channelId, NATIVE, ZERO_32 } from './ids.ts';
import { recoverSigner } from './keys.ts';
import { MAX_AMOUNT } from './limits.ts';
import { pairMessageCodec } from './pair.ts';

async function pair(deposits = { a: 1000n, b: 1000n }) {
  const network = await SimulatedNetwork.of(2);
  const hop = await network.open({ a: 0, b: 1 }, deposits);
  return { network, hop, a: network.at(0).terminal, b: network.at(1).terminal, channelId: hop.channelId };
}

const directCommand = (hop: Hop, amount: bigint) => ({
  kind: 'direct' as const,
  channelId: hop.channelId,
  amount,
  reference: ZERO_32,
});

describe('a channel', () => {
  it('counts a deposit of its own only up to what the peer confirmed', async () => {
    const { network, channelId: id } = await pair({ a: 700n, b: 0n });
    expect(await network.channel(0, id)).toMatchObject({ ownDeposit: 700n, spendable: 700n, agreed: true });
    expect(await network.channel(1, id)).toMatchObject({ peerDeposit: 700n, spendable: 0n });
  });

  it('is not usable before the peer agreed', async () => {
    const network = await SimulatedNetwork.of(2);
    const [a, b] = [network.at(0), network.at(1)];
    const channel = {
      partyA: a.identity,
      partyB: b.identity,
      payoutA: a.identity,
      payoutB: b.identity,
      token: NATIVE,
      challengePeriod: 0,
      salt: bytes16(`0x${'01'.repeat(16)}`),
    };
    await a.terminal.expect('messages', { kind: 'agree', channel, side: 'A', peer: b.identity });
    const id = hashChannelIdentity(DOMAIN, channel);
    expect(await a.terminal.run({ kind: 'direct', channelId: id, amount: 1n, reference: ZERO_32 })).toMatchObject({
      code: 'NOT_AGREED',
    });
  });

  it('is agreed to only between certified addresses, in what this release supports', async () => {
    const network = await SimulatedNetwork.of(3);
    const [a, b, c] = [network.at(0), network.at(1), network.at(2)];
    const channel = {
      partyA: a.identity,
      partyB: b.identity,
      payoutA: a.identity,
      payoutB: b.identity,
      token: NATIVE,
      challengePeriod: 0,
      salt: bytes16(`0x${'01'.repeat(16)}`),
    };
    const agree = (changed: Partial<ChannelIdentity>, peer = b.identity) =>
      a.terminal.run({ kind: 'agree', channel: { ...channel, ...changed }, side: 'A', peer });
    expect(await agree({ partyA: c.identity })).toMatchObject({ code: 'WRONG_PARTY' });
    expect(await agree({ partyB: c.identity })).toMatchObject({ code: 'WRONG_PARTY' });
    expect(await agree({}, c.identity)).toMatchObject({ code: 'WRONG_PARTY' });
    expect(await agree({ payoutB: NATIVE })).toMatchObject({ code: 'NO_PAYOUT' });
    expect(await agree({ token: c.identity })).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await agree({ challengePeriod: 60 })).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('works over a derived address that the identity certified', async () => {
    const network = await SimulatedNetwork.of(2);
    const [a, b] = [network.at(0), network.at(1)];
    const { address: virtual } = await a.terminal.expect('address', { kind: 'deriveAddress' });
    await network.introduceAll();
    const channel = {
      partyA: virtual,
      partyB: b.identity as Address,
      payoutA: a.identity,
      payoutB: b.identity,
      token: NATIVE,
      challengePeriod: 0,
      salt: bytes16(`0x${'01'.repeat(16)}`),
    };
    await network.relay(0, { kind: 'agree', channel, side: 'A', peer: b.identity }, { hold: true });
    await network.relay(1, { kind: 'agree', channel, side: 'B', peer: a.identity });
    await network.relay(0, { kind: 'agree', channel, side: 'A', peer: b.identity });
    const id = hashChannelIdentity(DOMAIN, channel);
    await network.relay(1, { kind: 'confirmDeposit', channelId: id, total: 50n });
    await network.relay(0, { kind: 'direct', channelId: id, amount: 20n, reference: ZERO_32 });
    expect(await network.channel(1, id)).toMatchObject({ ownBalance: 20n });
  });

  it('stops new payments while a confirmed deposit is gone from the chain', async () => {
    const { network, hop, b } = await pair();
    await b.expect('messages', { kind: 'confirmDeposit', channelId: hop.channelId, total: 10n });
    expect(await network.channel(1, hop.channelId)).toMatchObject({ suspended: true, peerDeposit: 1000n });
    expect(await b.run(directCommand(hop, 1n))).toMatchObject({ code: 'CHANNEL_SUSPENDED' });
    await b.expect('messages', { kind: 'confirmDeposit', channelId: hop.channelId, total: 1000n });
    await network.relay(1, directCommand(hop, 1n));
    expect(await network.channel(0, hop.channelId)).toMatchObject({ ownBalance: 1001n });
  });

  it('keeps deposits and counters below 2^128', async () => {
    const { b, hop } = await pair({ a: MAX_AMOUNT - 5n, b: 5n });
    expect(await b.run({ kind: 'confirmDeposit', channelId: hop.channelId, total: MAX_AMOUNT })).toMatchObject({
      code: 'AMOUNT_OUT_OF_RANGE',
    });
  });
});

describe('a direct payment', () => {
  it('moves money with one message and is acknowledged', async () => {
    const { network, hop } = await pair();
    await network.relay(0, directCommand(hop, 30n));
    await network.relay(1, directCommand(hop, 1030n));
    expect(await network.channel(0, hop.channelId)).toMatchObject({ ownBalance: 2000n, directUnacknowledged: 0 });
    expect(await network.channel(1, hop.channelId)).toMatchObject({ ownBalance: 0n, directUnacknowledged: 0 });
  });

  it('is applied once and in sequence, whatever is lost, repeated or reordered', async () => {
    const { network, hop, a, b } = await pair();
    const first = await a.expect('messages', directCommand(hop, 1n));
    const second = await a.expect('messages', directCommand(hop, 2n));
    const deliver = (message: Uint8Array = new Uint8Array()) => b.run({ kind: 'deliver', message });
    expect(await deliver(second.messages[0])).toMatchObject({ kind: 'refused', code: 'OUT_OF_ORDER' });
    expect(await deliver(first.messages[0])).toMatchObject({ notice: { kind: 'directReceived', amount: 1n } });
    expect(await deliver(first.messages[0])).toMatchObject({ notice: null });
    const { messages } = await a.expect('messages', { kind: 'resend', peer: network.at(1).identity });
    for (const message of messages) await network.deliver(message);
    expect(await network.channel(1, hop.channelId)).toMatchObject({ ownBalance: 1003n });
    expect(await network.channel(0, hop.channelId)).toMatchObject({ ownBalance: 997n, directUnacknowledged: 0 });
  });

  it('keeps room in the counters for what is pending the same way', async () => {
    const half = MAX_AMOUNT / 2n;
    const { network, hop, a } = await pair({ a: half, b: half });
    await network.relay(0, directCommand(hop, half));
    await network.relay(1, directCommand(hop, MAX_AMOUNT - 1n));
    const terms = await network.order({ payer: 0, payee: 1 }, half, [transfer(hop, 'A', half)]);
    const answers = await network.prepareAll(terms);
    expect(answers.map((answer) => answer.kind)).toEqual(['prepared', 'prepared']);
    expect(await a.run(directCommand(hop, 2n))).toMatchObject({ code: 'AMOUNT_OUT_OF_RANGE' });
    await network.driveAll('complete', terms, await network.driveAll('update', terms, answers));
    await network.relay(0, directCommand(hop, 1n));
    expect(await a.run(directCommand(hop, 1n))).toMatchObject({ code: 'AMOUNT_OUT_OF_RANGE' });
    expect((await a.expect('exit', { kind: 'close', channelId: hop.channelId })).exit.sentA).toBe(MAX_AMOUNT);
  });

  it('refuses more than can be spent, and nothing at all', async () => {
    const { a, hop } = await pair();
    expect(await a.run(directCommand(hop, 1001n))).toMatchObject({ code: 'NOT_ENOUGH_BALANCE' });
    expect(await a.run(directCommand(hop, 0n))).toMatchObject({ code: 'AMOUNT_OUT_OF_RANGE' });
    expect((await a.run(directCommand(hop, 1000n))).kind).toBe('messages');
  });
});

describe('a message between enclaves', () => {
  it('is refused when forged, reflected, or meant for another terminal', async () => {
    const { network, hop, a, b } = await pair();
    const third = await network.add();
    await network.introduceAll();
    const { messages } = await a.expect('messages', directCommand(hop, 5n));
    const [message] = messages;
    if (!message) throw new Error('no message');
    expect(await a.run({ kind: 'deliver', message })).toMatchObject({ code: 'WRONG_RECEIVER' });
    expect(await third.run({ kind: 'deliver', message })).toMatchObject({ code: 'WRONG_RECEIVER' });
    const parsed = decode(pairMessageCodec, message);
    const { sender, receiver } = parsed;
    const reflected = encode(pairMessageCodec, { ...parsed, sender: receiver, receiver: sender });
    expect(await a.run({ kind: 'deliver', message: reflected })).toMatchObject({ code: 'FORGED_MESSAGE' });
    for (let at = 41; at < message.length; at += 7) {
      const flipped = Uint8Array.from(message);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect((await b.run({ kind: 'deliver', message: flipped })).kind).toBe('refused');
      expect((await b.run({ kind: 'deliver', message: message.subarray(0, at) })).kind).toBe('refused');
    }
    expect(await b.run({ kind: 'deliver', message })).toMatchObject({ notice: { kind: 'directReceived' } });
  });

  it('is not exchanged with a terminal whose quote the owner refuses', async () => {
    const { network, a } = await pair();
    const elsewhere = await network.add(EVERYTHING, new MemoryPlatform(new Uint8Array(32).fill(9)));
    await a.expect('ok', { kind: 'introduce', ...(await elsewhere.introduction()) });
    const peer = await elsewhere.identity();
    const channel = {
      partyA: network.at(0).identity,
      partyB: peer,
      payoutA: peer,
      payoutB: peer,
      token: NATIVE,
      challengePeriod: 0,
      salt: bytes16(`0x${'02'.repeat(16)}`),
    };
    expect(await a.run({ kind: 'agree', channel, side: 'A', peer })).toMatchObject({ code: 'PEER_REFUSED' });
  });
});

/** A payment from 0 to 1 in the given phase on both. */
async function pending(phase: 'PRE' | 'POST') {
  const world = await pair();
  const { network, hop } = world;
  const terms = await network.order({ payer: 0, payee: 1 }, 40n, [transfer(hop, 'A', 40n)]);
  const pre = await network.prepareAll(terms);
  const post = phase === 'POST' ? await network.driveAll('update', terms, pre) : [];
  return { ...world, terms, pre, post, paymentId: hashPayment(DOMAIN, terms) };
}

describe('an introduction', () => {
  it('is refused with a certificate that the identity or the address itself did not sign', async () => {
    const network = await SimulatedNetwork.of(3);
    const [a, b] = [network.at(0).terminal, network.at(1).terminal];
    const { address: virtual } = await b.expect('address', { kind: 'deriveAddress' });
    const { credential, certificates } = await b.introduction();
    const [certificate] = certificates;
    if (!certificate) throw new Error('no certificate');
    const thief = await network.at(2).terminal.introduction();
    const swapped = { ...certificate, addressSignature: certificate.signature };
    expect(await a.run({ kind: 'introduce', credential, certificates: [swapped] })).toMatchObject({
      code: 'FORGED_CERTIFICATE',
    });
    expect(await a.run({ kind: 'introduce', credential: thief.credential, certificates })).toMatchObject({
      code: 'FORGED_CERTIFICATE',
    });
    expect(await a.run({ kind: 'introduce', credential, certificates })).toEqual({ kind: 'ok' });
    expect(certificate.address).toBe(virtual);
  });

  it('is refused with a changed key, quote or identity', async () => {
    const network = await SimulatedNetwork.of(1);
    const stranger = await (await network.add()).introduction();
    const { terminal } = network.at(0);
    const { credential } = stranger;
    const exchangeKey = bytes32(`0x${'09'.repeat(32)}`);
    const changed = [
      { ...credential, exchangeKey },
      { ...credential, quote: { ...credential.quote, measurement: exchangeKey } },
      { ...credential, identity: network.at(0).identity.replace(/.$/, '0') as typeof credential.identity },
    ];
    for (const each of changed) {
      expect(await terminal.run({ kind: 'introduce', ...stranger, credential: each })).toMatchObject({
        code: 'FORGED_CREDENTIAL',
      });
    }
  });

  it('counts by the policy of now: an owner who stops accepting a measurement deals with it no more', async () => {
    const { hop, a } = await pair();
    const { attestation } = await a.expect('self', { kind: 'describe' });
    await a.expect('ok', { kind: 'setAttestation', ...attestation, measurements: [] });
    expect(await a.run(directCommand(hop, 1n))).toMatchObject({ code: 'PEER_REFUSED' });
    await a.restart();
    expect(await a.run(directCommand(hop, 1n))).toMatchObject({ code: 'PEER_REFUSED' });
    expect((await a.run({ kind: 'close', channelId: hop.channelId })).kind).toBe('exit');
  });
});

describe('leaving', () => {
  it('closes with the final sums where nothing is pending, and signs nothing else ever after', async () => {
    const { network, hop, a, channelId: id } = await pair();
    await network.relay(0, directCommand(hop, 30n));
    const { exit } = await a.expect('exit', { kind: 'close', channelId: id });
    expect(exit).toMatchObject({ sentA: 30n, sentB: 0n, pending: [], stale: false });
    const digest = exitDigest(DOMAIN, { ...exit, pending: [] });
    expect(recoverSigner(digest, exit.signature)).toBe(network.at(0).identity);
    expect(await a.run(directCommand(hop, 1n))).toMatchObject({ code: 'CHANNEL_CLOSING' });
    expect(await a.run({ kind: 'confirmDeposit', channelId: id, total: 5000n })).toMatchObject({
      code: 'CHANNEL_CLOSING',
    });
    const again = await a.run({ kind: 'agree', channel: hop.channel, side: 'A', peer: network.at(1).identity });
    expect(again).toMatchObject({ code: 'CHANNEL_CLOSING' });
    await a.restart();
    expect((await a.expect('exit', { kind: 'exit', channel: hop.channel })).exit).toEqual(exit);
  });

  it('refuses a plain close while a payment is pending, and ejects with the phase of each', async () => {
    const { a, hop, terms, pre, network, paymentId } = await pending('PRE');
    expect(await a.run({ kind: 'close', channelId: hop.channelId })).toMatchObject({ code: 'PAYMENTS_PENDING' });
    const { exit } = await a.expect('exit', { kind: 'exit', channel: hop.channel });
    expect(exit).toMatchObject({
      sentA: 0n,
      sentB: 0n,
      pending: [{ paymentId, amount: 40n, fromA: true, phase: 'PRE-UPDATE' }],
    });
    const evidence = evidenceFor(network.participantsOf(terms), pre, network.at(0).identity);
    expect(await ask(a, { kind: 'update', paymentId, evidence })).toMatchObject({ kind: 'failed', code: 'FROZEN' });
  });

  it('exits in POST-UPDATE with APPLIED, and still completes', async () => {
    const { a, hop, post, terms, network } = await pending('POST');
    const { exit } = await a.expect('exit', { kind: 'exit', channel: hop.channel });
    expect(exit.pending).toMatchObject([{ phase: 'POST-UPDATE' }]);
    const done = await network.driveAll('complete', terms, post);
    expect(done.map((answer) => answer.kind)).toEqual(['completed', 'completed']);
    expect((await a.expect('exit', { kind: 'exit', channel: hop.channel })).exit).toEqual(exit);
  });

  it('proves each pending transfer to the contract', async () => {
    const { a, hop, terms } = await pending('PRE');
    const { exit } = await a.expect('exit', { kind: 'exit', channel: hop.channel });
    expect(merkleRoot(terms.transfers.map(hashTransfer))).toBe(
      hashTransfer(terms.transfers[0] ?? transfer(hop, 'A', 1n)),
    );
    expect(exit.pending[0]).toMatchObject({
      nonce: terms.nonce,
      invoice: terms.invoice,
      expiry: terms.expiry,
      proof: [],
    });
  });

  it('exits a channel that was never agreed to but names an own address', async () => {
    const network = await SimulatedNetwork.of(1);
    const { terminal, identity } = network.at(0);
    const stranger = bytes32(`0x${'ab'.repeat(32)}`).slice(0, 42) as typeof identity;
    const channel = {
      partyA: stranger,
      partyB: identity,
      payoutA: stranger,
      payoutB: identity,
      token: NATIVE,
      challengePeriod: 0,
      salt: bytes16(`0x${'03'.repeat(16)}`),
    };
    const { exit } = await terminal.expect('exit', { kind: 'exit', channel });
    expect(exit).toMatchObject({ sentA: 0n, sentB: 0n, pending: [] });
    expect(await terminal.run({ kind: 'exit', channel: { ...channel, partyB: stranger } })).toMatchObject({
      code: 'WRONG_PARTY',
    });
  });

  it.each(['PRE', 'POST'] as const)('signs a record in %s-UPDATE for its own phase', async (phase) => {
    const { a, hop, paymentId, terms, pre, network } = await pending(phase);
    const { record } = await a.expect('record', { kind: 'record', paymentId });
    const outcome = phase === 'PRE' ? 'VOID' : 'APPLIED';
    expect(record.outcome).toBe(outcome);
    const digest = recordDigest(DOMAIN, { channelId: hop.channelId, paymentId, outcome });
    expect(recoverSigner(digest, record.signature)).toBe(network.at(0).identity);
    const evidence = evidenceFor(network.participantsOf(terms), pre, network.at(0).identity);
    const answer = await ask(a, { kind: 'update', paymentId, evidence });
    expect(answer).toMatchObject(phase === 'PRE' ? { kind: 'failed', code: 'FROZEN' } : { kind: 'updated' });
  });

  it('ends a recorded payment without closing: VOID by the payee, APPLIED by the payer', async () => {
    for (const [phase, outcome, giver] of [
      ['PRE', 'VOID', 1],
      ['POST', 'APPLIED', 0],
    ] as const) {
      const { network, hop, paymentId } = await pending(phase);
      const command = { kind: 'consent' as const, channelId: hop.channelId, paymentId, outcome };
      expect(await network.at(1 - giver).terminal.run(command)).toMatchObject({ code: 'WRONG_CONSENT' });
      await network.relay(giver, command);
      const moved = outcome === 'APPLIED' ? 40n : 0n;
      expect(await network.channel(0, hop.channelId)).toMatchObject({ ownBalance: 1000n - moved, pendingCount: 0 });
      expect(await network.channel(1, hop.channelId)).toMatchObject({ ownBalance: 1000n + moved, pendingCount: 0 });
      const { orders } = await network.at(0).terminal.expect('orders', { kind: 'listOrders' });
      expect(orders[0]?.status).toBe(outcome === 'VOID' ? 'open' : 'paid');
    }
  });

  it('follows the contract where a channel was settled with a payment pending, and signs nothing for it after', async () => {
    const { a, hop, paymentId } = await pending('POST');
    expect(await a.run({ kind: 'settled', channelId: hop.channelId, outcomes: [] })).toMatchObject({
      code: 'OUTCOME_MISSING',
    });
    await a.expect('ok', { kind: 'settled', channelId: hop.channelId, outcomes: [{ paymentId, outcome: 'VOID' }] });
    expect(await a.run({ kind: 'exit', channel: hop.channel })).toMatchObject({ code: 'CHANNEL_SETTLED' });
    expect(await ask(a, { kind: 'complete', paymentId, evidence: new Uint8Array(16) })).toMatchObject({
      code: 'RESOLVED_ON_CHAIN',
    });
  });

  it('knows nothing of foreign channels and payments', async () => {
    const { a } = await pair();
    const foreign = channelId(`0x${'77'.repeat(32)}`);
    for (const command of [
      { kind: 'close' as const, channelId: foreign },
      { kind: 'confirmDeposit' as const, channelId: foreign, total: 1n },
      { kind: 'settled' as const, channelId: foreign, outcomes: [] },
    ]) {
      expect(await a.run(command)).toMatchObject({ kind: 'refused', code: 'UNKNOWN_CHANNEL' });
    }
  });
});
