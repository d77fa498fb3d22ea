import { describe, expect, it } from 'vitest';
import {
  ask,
  DOMAIN,
  EVERYTHING,
  evidenceFor,
  FORWARD_FREELY,
  type Hop,
  SimulatedNetwork,
  termsOf,
  transfer,
} from '../../simulations/enclaves/simulated-network.ts';
import { hashPayment } from './encoding.ts';
import { bytes16, NATIVE, ZERO_32 } from './ids.ts';
import type { PaymentTerms } from './payment-terms.ts';
import { isSignedReceipt } from './receipt.ts';
import type { StepAnswer } from './round-messages.ts';

const kinds = (answers: StepAnswer[]): string[] => answers.map((answer) => answer.kind);

/** wallet 0 – intermediary 1 – intermediary 2 – merchant 3, 1000 deposited by everybody. */
async function line(count = 4) {
  const network = await SimulatedNetwork.of(count);
  const hops: Hop[] = [];
  for (let index = 0; index + 1 < count; index++) {
    hops.push(await network.open({ a: index, b: index + 1 }, { a: 1000n, b: 1000n }));
  }
  const route = (amount: bigint) => hops.map((hop) => transfer(hop, 'A', amount));
  return { network, hops, route };
}

async function balances({ network, hops }: Awaited<ReturnType<typeof line>>): Promise<bigint[]> {
  const sides = hops.map(async (hop, index) => {
    const [left, right] = [
      await network.channel(index, hop.channelId),
      await network.channel(index + 1, hop.channelId),
    ];
    expect(left.ownBalance + left.peerBalance).toBe(2000n);
    expect(left.ownBalance).toBe(right.peerBalance);
    return left.ownBalance;
  });
  return Promise.all(sides);
}

describe('a payment round', () => {
  it('moves the amount over every channel of the route and ends in IDLE everywhere', async () => {
    const world = await line();
    const terms = await world.network.order({ payer: 0, payee: 3 }, 70n, world.route(70n));
    expect(kinds(await world.network.pay(terms))).toEqual(Array(4).fill('completed'));
    expect(await balances(world)).toEqual([930n, 930n, 930n]);
    for (const terminal of world.network.terminals) {
      expect((await terminal.expect('payments', { kind: 'listPayments' })).payments).toEqual([]);
    }
  });

  it('answers a step that was passed with the same evidence again, also after a restart', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const pre = await network.prepareAll(terms);
    const post = await network.driveAll('update', terms, pre);
    for (const terminal of network.terminals) expect((await terminal.restart()).kind).toBe('opened');
    expect(await network.prepareAll(terms)).toEqual(pre);
    expect(await network.driveAll('update', terms, pre)).toEqual(post);
    const done = await network.driveAll('complete', terms, post);
    expect(await network.driveAll('complete', terms, post)).toEqual(done);
    expect(kinds(await network.prepareAll(terms))).toEqual(Array(3).fill('prepared'));
  });

  it('refuses UPDATE and COMPLETE without the evidence of all others', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const pre = await network.prepareAll(terms);
    const paymentId = hashPayment(DOMAIN, terms);
    const payer = network.at(0);
    const others = participants.filter((each) => each !== payer.identity);
    const withoutOne = pre.map((answer, index) =>
      participants[index] === others[0] ? { kind: 'needPre' as const, paymentId } : answer,
    );
    const missingOne = evidenceFor(participants, withoutOne, payer.identity);
    const anyone = { kind: 'update' as const, paymentId };
    expect(await ask(payer.terminal, { ...anyone, evidence: missingOne })).toMatchObject({
      kind: 'failed',
      code: 'WRONG_EVIDENCE',
    });
    expect(await ask(payer.terminal, { ...anyone, evidence: new Uint8Array(16) })).toMatchObject({
      code: 'WRONG_EVIDENCE',
    });
    const post = await network.driveAll('update', terms, pre);
    const wrongTag = evidenceFor(participants, pre, payer.identity);
    expect(await ask(payer.terminal, { kind: 'complete', paymentId, evidence: wrongTag })).toMatchObject({
      code: 'WRONG_EVIDENCE',
    });
    expect(kinds(await network.driveAll('complete', terms, post))).toEqual(Array(3).fill('completed'));
  });

  it('completes by the DONE evidence of one participant', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const post = await network.driveAll('update', terms, await network.prepareAll(terms));
    const [payer, payee] = [network.at(0), network.at(2)];
    const paymentId = hashPayment(DOMAIN, terms);
    const done = await ask(payer.terminal, {
      kind: 'complete',
      paymentId,
      evidence: evidenceFor(participants, post, payer.identity),
    });
    if (done.kind !== 'completed') throw new Error(done.kind);
    const mac = done.evidence[participants.filter((each) => each !== payer.identity).indexOf(payee.identity)];
    const byDone = {
      kind: 'completeByDone' as const,
      paymentId,
      from: payer.identity,
      evidence: mac ?? new Uint8Array(16),
    };
    expect(await ask(payee.terminal, { ...byDone, from: network.at(1).identity })).toMatchObject({
      code: 'WRONG_EVIDENCE',
    });
    expect((await ask(payee.terminal, byDone)).kind).toBe('completed');
  });

  it('aborts on one REJECT, unlocks the amounts, and frees the order for another attempt', async () => {
    const { network, hops, route } = await line(3);
    await network.at(1).terminal.expect('ok', { kind: 'setPolicy', ...EVERYTHING, forwarding: [] });
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const answers = await network.prepareAll(terms);
    const byOne = answers[participants.indexOf(network.at(1).identity)];
    expect(byOne).toMatchObject({ kind: 'rejected', reason: 'FORWARDING_REFUSED' });
    const { identity: from } = network.at(1);
    const paymentId = hashPayment(DOMAIN, terms);
    for (const index of [0, 2]) {
      const { terminal, identity } = network.at(index);
      const evidence = evidenceFor([from, identity].sort(), [], identity);
      expect(await ask(terminal, { kind: 'abort', paymentId, from, evidence })).toMatchObject({
        code: 'WRONG_EVIDENCE',
      });
      const mac =
        byOne?.kind === 'rejected'
          ? byOne.evidence[participants.filter((each) => each !== from).indexOf(identity)]
          : null;
      if (!mac) throw new Error('no REJECT evidence');
      expect((await ask(terminal, { kind: 'abort', paymentId, from, evidence: mac })).kind).toBe('aborted');
      expect((await ask(terminal, { kind: 'prepare', terms, participants, preEvidence: null })).kind).toBe('aborted');
    }
    expect(
      (await network.channel(0, hops[0]?.channelId ?? terms.transfers[0]?.channelId ?? ('' as never))).spendable,
    ).toBe(1000n);
    const { orders } = await network.at(0).terminal.expect('orders', { kind: 'listOrders' });
    expect(orders).toMatchObject([{ status: 'open' }]);
    await network.at(1).terminal.expect('ok', { kind: 'setPolicy', ...EVERYTHING });
    const [order] = orders;
    if (!order) throw new Error('no order');
    const again = termsOf(order.order, route(5n), 1);
    expect(kinds(await network.pay(again))).toEqual(Array(3).fill('completed'));
  });

  it('never issues REJECT for a payment it prepared, and cancels one it did not', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const [payer, payee] = [network.at(0).terminal, network.at(2).terminal];
    await ask(payer, { kind: 'prepare', terms, participants, preEvidence: null });
    expect(await ask(payer, { kind: 'cancel', terms, participants })).toMatchObject({
      kind: 'failed',
      code: 'ALREADY_PREPARED',
    });
    expect(await ask(payee, { kind: 'cancel', terms, participants })).toMatchObject({
      kind: 'rejected',
      reason: 'CANCELLED',
    });
    expect(await ask(payee, { kind: 'prepare', terms, participants, preEvidence: null })).toMatchObject({
      kind: 'rejected',
      reason: 'CANCELLED',
    });
  });

  it('signs receipts for third parties once it is DONE, not before', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const { terminal, identity } = network.at(2);
    const command = { kind: 'receipt' as const, paymentId: hashPayment(DOMAIN, terms) };
    expect(await terminal.run(command)).toMatchObject({ kind: 'refused', code: 'NOT_DONE' });
    await network.pay(terms);
    const { signed } = await terminal.expect('receipt', command);
    const { identity: payer } = network.at(0);
    expect(signed.receipt).toMatchObject({ signer: identity, role: 'payee', amount: 5n, payer, payee: identity });
    expect(isSignedReceipt(DOMAIN, signed)).toBe(true);
    expect(isSignedReceipt(DOMAIN, { ...signed, receipt: { ...signed.receipt, amount: 6n } })).toBe(false);
    expect(isSignedReceipt(DOMAIN, { ...signed, receipt: { ...signed.receipt, signer: payer } })).toBe(false);
  });

  it('pays an order once, whatever the hub proposes', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    await network.pay(terms);
    const { orders } = await network.at(0).terminal.expect('orders', { kind: 'listOrders' });
    const [order] = orders;
    if (!order) throw new Error('no order');
    const second = termsOf(order.order, route(5n), 1);
    const answers = await network.prepareAll(second);
    const byPayer = answers[network.participantsOf(second).indexOf(network.at(0).identity)];
    expect(byPayer).toMatchObject({ kind: 'rejected', reason: 'NOT_ORDERED' });
  });

  it.each([
    [
      'a changed amount',
      (terms: PaymentTerms) => ({ ...terms, transfers: terms.transfers.map((each) => ({ ...each, amount: 6n })) }),
      'WRONG_AMOUNT',
    ],
    ['another expiry', (terms: PaymentTerms) => ({ ...terms, expiry: terms.expiry - 1 }), 'NOT_ORDERED'],
    ['a foreign nonce', (terms: PaymentTerms) => ({ ...terms, nonce: bytes16(`0x${'11'.repeat(16)}`) }), 'NOT_ORDERED'],
  ])('is rejected by the payer for %s', async (_name, change, reason) => {
    const { network, route } = await line(3);
    const terms = change(await network.order({ payer: 0, payee: 2 }, 5n, route(5n)));
    const answers = await network.prepareAll(terms);
    expect(answers[network.participantsOf(terms).indexOf(network.at(0).identity)]).toMatchObject({
      kind: 'rejected',
      reason,
    });
  });

  it('is judged by no evidence at all when it is malformed or too far ahead', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const payer = network.at(0).terminal;
    const tries: [PaymentTerms, typeof participants, string][] = [
      [{ ...terms, transfers: [...terms.transfers].reverse() }, participants, 'MALFORMED_PAYMENT'],
      [
        {
          ...terms,
          transfers: [...terms.transfers, ...terms.transfers].sort((a, b) => (a.channelId < b.channelId ? -1 : 1)),
        },
        participants,
        'MALFORMED_PAYMENT',
      ],
      [{ ...terms, transfers: [] }, participants, 'MALFORMED_PAYMENT'],
      [terms, participants.slice(1), 'MALFORMED_PAYMENT'],
      [terms, [...participants].reverse(), 'MALFORMED_PAYMENT'],
      [{ ...terms, expiry: terms.expiry + 601 }, participants, 'BEYOND_HORIZON'],
      [
        { ...terms, transfers: terms.transfers.map((each) => ({ ...each, amount: 0n })) },
        participants,
        'MALFORMED_PAYMENT',
      ],
    ];
    for (const [changed, named, code] of tries) {
      expect(
        await ask(payer, { kind: 'prepare', terms: changed, participants: named, preEvidence: null }),
      ).toMatchObject({ kind: 'failed', code });
    }
    expect(kinds(await network.pay(terms))).toEqual(Array(3).fill('completed'));
  });

  it('rejects what has expired, and an owner clock that runs back changes nothing', async () => {
    const { network, route } = await line(3);
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const payee = network.at(2).terminal;
    payee.now += 61;
    expect(await ask(payee, { kind: 'prepare', terms, participants, preEvidence: null })).toMatchObject({
      reason: 'EXPIRED',
    });
    payee.now -= 61;
    await payee.restart();
    expect(await ask(payee, { kind: 'prepare', terms, participants, preEvidence: null })).toMatchObject({
      reason: 'EXPIRED',
    });
  });

  it('locks the sum of what is pending, not the largest of it', async () => {
    const { network, route } = await line(2);
    for (const [amount, expected] of [
      [600n, 'prepared'],
      [400n, 'prepared'],
      [1n, 'rejected'],
    ] as const) {
      const terms = await network.order({ payer: 0, payee: 1 }, amount, route(amount));
      const answers = await network.prepareAll(terms);
      expect(answers[network.participantsOf(terms).indexOf(network.at(0).identity)]?.kind).toBe(expected);
    }
  });

  it('answers HELD where only a transfer still in POST-UPDATE is missing, and leaves no trace of it', async () => {
    const { network, hops, route } = await line(2);
    const first = await network.order({ payer: 0, payee: 1 }, 1000n, route(1000n));
    const post = await network.driveAll('update', first, await network.prepareAll(first));
    const [hop] = hops;
    if (!hop) throw new Error('no channel');
    const back = await network.order({ payer: 1, payee: 0 }, 1500n, [transfer(hop, 'B', 1500n)]);
    const participants = network.participantsOf(back);
    const asked = { kind: 'prepare' as const, terms: back, participants, preEvidence: null };
    const records = network.at(1).terminal.records.length;
    expect(await ask(network.at(1).terminal, asked)).toMatchObject({ kind: 'held', channelId: hop.channelId });
    expect(network.at(1).terminal.records.length).toBe(records);
    await network.driveAll('complete', first, post);
    expect(kinds(await network.pay(back))).toEqual(['completed', 'completed']);
  });

  it('prepares last only with the PRE evidence of all others', async () => {
    const { network, route } = await line(3);
    await network.at(1).terminal.expect('ok', { kind: 'setPolicy', ...EVERYTHING, prepareLast: true });
    const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
    const participants = network.participantsOf(terms);
    const answers = await network.prepareAll(terms);
    const { terminal, identity } = network.at(1);
    const position = participants.indexOf(identity);
    expect(answers[position]?.kind).toBe('needPre');
    const asked = { kind: 'prepare' as const, terms, participants };
    expect(await ask(terminal, { ...asked, preEvidence: new Uint8Array(16) })).toMatchObject({
      code: 'WRONG_EVIDENCE',
    });
    const others = answers.map((answer, index) =>
      index === position ? ({ kind: 'needPre', paymentId: answer.paymentId } as const) : answer,
    );
    expect((await ask(terminal, { ...asked, preEvidence: evidenceFor(participants, others, identity) })).kind).toBe(
      'prepared',
    );
  });

  it('keeps the intermediary from forwarding below its fee or beyond its sizes and quotas', async () => {
    const { network, route } = await line(3);
    const tries = [
      [{ ...FORWARD_FREELY, feeBase: 1n }, 'FEE_TOO_LOW'],
      [{ ...FORWARD_FREELY, minAmount: 6n }, 'FORWARDING_REFUSED'],
      [{ ...FORWARD_FREELY, maxAmount: 4n }, 'FORWARDING_REFUSED'],
      [{ ...FORWARD_FREELY, maxPendingPerPayer: 0 }, 'TOO_MANY_PENDING'],
      [{ ...FORWARD_FREELY, maxPendingPerPeer: 0 }, 'TOO_MANY_PENDING'],
    ] as const;
    for (const [policy, reason] of tries) {
      await network.at(1).terminal.expect('ok', { kind: 'setPolicy', ...EVERYTHING, forwarding: [policy] });
      const terms = await network.order({ payer: 0, payee: 2 }, 5n, route(5n));
      const participants = network.participantsOf(terms);
      expect(
        await ask(network.at(1).terminal, { kind: 'prepare', terms, participants, preEvidence: null }),
      ).toMatchObject({ kind: 'rejected', reason });
    }
  });

  it('refuses participants whose quotes the owner does not accept, with evidence, and unknown ones without', async () => {
    const { network, hops } = await line(2);
    const [hop] = hops;
    const stranger = await network.add();
    if (!hop) throw new Error('no channel');
    const far = { ...transfer(hop, 'A', 5n), channelId: `0x${'ff'.repeat(32)}` as typeof hop.channelId };
    const foreign = { ...far, payer: network.at(1).identity, payee: await stranger.identity() };
    const terms = await network.order({ payer: 0, payee: 1 }, 5n, [transfer(hop, 'A', 5n), foreign]);
    const participants = network.participantsOf(terms);
    const asked = { kind: 'prepare' as const, terms, participants, preEvidence: null };
    const payer = network.at(0).terminal;
    expect(await ask(payer, asked)).toMatchObject({ kind: 'failed', code: 'UNKNOWN_PARTICIPANT' });
    const { MemoryPlatform } = await import('../../simulations/enclaves/memory-platform.ts');
    const elsewhere = await network.add(EVERYTHING, new MemoryPlatform(new Uint8Array(32).fill(9)));
    await payer.expect('ok', { kind: 'introduce', ...(await elsewhere.introduction()) });
    const withRefused = {
      ...terms,
      transfers: [transfer(hop, 'A', 5n), { ...foreign, payee: await elsewhere.identity() }],
    };
    const named = network.participantsOf(withRefused);
    expect(await ask(payer, { ...asked, terms: withRefused, participants: named })).toMatchObject({
      kind: 'rejected',
      reason: 'PARTICIPANT_REFUSED',
    });
  });

  it('pays an invoice once and exactly', async () => {
    const { network, hops } = await line(2);
    const [hop] = hops;
    if (!hop) throw new Error('no channel');
    const [payer, payee] = [network.at(0), network.at(1)];
    const { hash } = await payee.terminal.expect('invoice', {
      kind: 'invoice',
      token: NATIVE,
      amount: 9n,
      expiry: payee.terminal.now + 3600,
      description: 'tea',
    });
    const pay = async (amount: bigint, invoice = hash) => {
      const wish = {
        kind: 'order' as const,
        payee: payee.identity,
        token: NATIVE,
        amount,
        maxFee: 0n,
        invoice,
        expiry: payer.terminal.now + 60,
      };
      const { order } = await payer.terminal.expect('order', wish);
      const terms = termsOf(order, [transfer(hop, 'A', amount)]);
      const answers = await network.prepareAll(terms);
      return { terms, byPayee: answers[network.participantsOf(terms).indexOf(payee.identity)], answers };
    };
    expect((await pay(8n)).byPayee).toMatchObject({ kind: 'rejected', reason: 'WRONG_AMOUNT' });
    const right = await pay(9n);
    expect((await pay(9n)).byPayee).toMatchObject({ reason: 'INVOICE_IN_USE' });
    await network.driveAll('complete', right.terms, await network.driveAll('update', right.terms, right.answers));
    expect((await pay(9n)).byPayee).toMatchObject({ reason: 'UNKNOWN_INVOICE' });
    await payee.terminal.expect('ok', { kind: 'setPolicy', ...EVERYTHING, acceptAnything: false });
    expect((await pay(9n, ZERO_32)).byPayee).toMatchObject({ reason: 'NOT_ACCEPTING' });
  });
});
