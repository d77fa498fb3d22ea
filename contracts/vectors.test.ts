/**
 * One encoding, three implementations: enclave/core/encoding.ts, contracts/libraries/Encoding.sol and ethers' EIP-712,
 * compared byte for byte (PROTOCOL.md section 9). UPDATE_VECTORS=1 writes contracts/vectors.json anew.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Interface, TypedDataEncoder } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { merkleProof, OUTCOME, PHASE } from '../enclave/core/encoding.ts';
import { bytes32 } from '../enclave/core/ids.ts';
import { encodingHarnessAbi, encodingHarnessBytecode } from './generated/testing.ts';
import { type Stage, setStage } from './testing/fixture.ts';
import { makeVectors } from './testing/vectors.ts';
import { TransactionSender } from './transactions.ts';

const identity = z.strictObject({
  partyA: z.string(),
  partyB: z.string(),
  payoutA: z.string(),
  payoutB: z.string(),
  token: z.string(),
  challengePeriod: z.number(),
  salt: z.string(),
});
const transfer = z.strictObject({
  channelId: z.string(),
  payer: z.string(),
  payee: z.string(),
  token: z.string(),
  amount: z.string(),
});
const pendingFields = {
  paymentId: z.string(),
  amount: z.string(),
  fromA: z.boolean(),
  phase: z.enum(['PRE-UPDATE', 'POST-UPDATE']),
};
const vectorsSchema = z.strictObject({
  domains: z.array(z.strictObject({ chainId: z.string(), contract: z.string(), domainSeparator: z.string() })),
  channels: z.array(z.strictObject({ domainSeparator: z.string(), identity, channelId: z.string() })),
  payments: z.array(
    z.strictObject({
      nonce: z.string(),
      invoice: z.string(),
      expiry: z.number(),
      leaves: z.array(z.string()),
      root: z.string(),
      own: z.strictObject({ index: z.number(), fromA: z.boolean(), transfer, proof: z.array(z.string()) }),
      paymentId: z.string(),
    }),
  ),
  exits: z.array(
    z.strictObject({
      channelId: z.string(),
      sentA: z.string(),
      sentB: z.string(),
      stale: z.boolean(),
      pending: z.array(z.strictObject(pendingFields)),
      digest: z.string(),
    }),
  ),
  staleExits: z.array(
    z.strictObject({
      channelId: z.string(),
      side: z.enum(['A', 'B']),
      depositA: z.string(),
      depositB: z.string(),
      sentA: z.string(),
      sentB: z.string(),
      pending: z.array(z.strictObject({ ...pendingFields, recorded: z.enum(['VOID', 'APPLIED']).nullable() })),
      digest: z.string(),
      creditA: z.string(),
      creditB: z.string(),
    }),
  ),
  records: z.array(
    z.strictObject({
      channelId: z.string(),
      paymentId: z.string(),
      outcome: z.enum(['VOID', 'APPLIED']),
      digest: z.string(),
    }),
  ),
});

const file = join(import.meta.dirname, 'vectors.json');
const harness = new Interface(encodingHarnessAbi);
const NO_PAYMENT = { nonce: `0x${'00'.repeat(16)}`, invoice: `0x${'00'.repeat(32)}`, expiry: 0, proof: [] };

let stage: Stage;
let contract: string;
let vectors: z.infer<typeof vectorsSchema>;
beforeAll(async () => {
  if (process.env['UPDATE_VECTORS'] === '1') await writeFile(file, `${JSON.stringify(makeVectors(), null, 2)}\n`);
  vectors = vectorsSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  stage = await setStage();
  const { receipt } = await new TransactionSender(stage.signer).send({ data: encodingHarnessBytecode });
  contract = String(receipt.contractAddress);
});
afterAll(() => stage.chain.stop());

/** What Solidity computes. */
async function solidity(name: string, args: unknown[]): Promise<unknown> {
  return (await solidityAll(name, args))[0];
}

async function solidityAll(name: string, args: unknown[]): Promise<unknown[]> {
  const answer = await stage.provider.call({ to: contract, data: harness.encodeFunctionData(name, args) });
  return harness.decodeFunctionResult(name, answer).toArray() as unknown[];
}

test('the vectors are those that TypeScript makes', () => {
  expect(vectors).toEqual(makeVectors());
});

test('Solidity and EIP-712 derive the same domain separators', async () => {
  for (const { chainId, contract: verifyingContract, domainSeparator } of vectors.domains) {
    expect(await solidity('domainSeparator', [chainId, verifyingContract])).toBe(domainSeparator);
    expect(TypedDataEncoder.hashDomain({ name: 'Baro', version: '1', chainId, verifyingContract })).toBe(
      domainSeparator,
    );
  }
});

test('Solidity derives the same channel ids', async () => {
  for (const { domainSeparator, identity: fields, channelId } of vectors.channels) {
    expect(await solidity('channelId', [domainSeparator, fields])).toBe(channelId);
  }
});

test('Solidity derives the same leaves and payment ids, for 1 to 64 transfers and whichever leaf the proof begins at', async () => {
  const [domain, channel] = [vectors.domains[1], vectors.channels[0]];
  const domainSeparator = domain?.domainSeparator;
  expect(vectors.payments.map(({ leaves }) => leaves.length)).toEqual(Array.from({ length: 64 }, (_, n) => n + 1));
  for (const { leaves: texts, own, nonce, invoice, expiry, paymentId } of vectors.payments) {
    const { channelId, amount } = own.transfer;
    const leaves = texts.map(bytes32);
    const pending = { nonce, invoice, expiry, proof: own.proof, amount, fromA: own.fromA, phase: 1 };
    expect(await solidity('leaf', [channelId, channel?.identity, pending])).toBe(leaves[own.index]);
    expect(merkleProof(leaves, own.index)).toEqual(own.proof);
    for (const index of new Set([0, own.index, leaves.length >> 1, leaves.length - 1])) {
      const proven = { ...pending, proof: merkleProof(leaves, index) };
      expect(await solidity('paymentId', [domainSeparator, leaves[index], proven])).toBe(paymentId);
    }
  }
}, 60_000);

const exitTypes = {
  Exit: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'sentA', type: 'uint128' },
    { name: 'sentB', type: 'uint128' },
    { name: 'stale', type: 'bool' },
    { name: 'pending', type: 'Pending[]' },
  ],
  Pending: [
    { name: 'paymentId', type: 'bytes32' },
    { name: 'amount', type: 'uint128' },
    { name: 'fromA', type: 'bool' },
    { name: 'phase', type: 'uint8' },
  ],
};
const recordTypes = {
  Record: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'paymentId', type: 'bytes32' },
    { name: 'outcome', type: 'uint8' },
  ],
};

function typedDomain(): { name: string; version: string; chainId: string; verifyingContract: string } {
  const { chainId, contract: verifyingContract } = vectors.domains[1] ?? { chainId: '', contract: '' };
  return { name: 'Baro', version: '1', chainId, verifyingContract };
}

test('Solidity and EIP-712 derive the same digests of exits with none to many pending payments', async () => {
  const domainSeparator = vectors.domains[1]?.domainSeparator;
  for (const { channelId, sentA, sentB, stale, pending, digest } of vectors.exits) {
    const entries = pending.map((entry) => ({ ...entry, phase: PHASE[entry.phase] }));
    const payments = pending.map((entry) => entry.paymentId);
    const parts = entries.map(({ amount, fromA, phase }) => ({ ...NO_PAYMENT, amount, fromA, phase }));
    const args = [domainSeparator, channelId, sentA, sentB, stale, payments, parts];
    expect(await solidity('exitDigest', args)).toBe(digest);
    const message = { channelId, sentA, sentB, stale, pending: entries };
    expect(TypedDataEncoder.hash(typedDomain(), exitTypes, message)).toBe(digest);
  }
});

test('Solidity gives both sides of a stale exit the same, whatever is recorded of what is pending', async () => {
  const domainSeparator = vectors.domains[1]?.domainSeparator;
  for (const exit of vectors.staleExits) {
    const { channelId, sentA, sentB } = exit;
    const entries = exit.pending.map(({ paymentId, amount, fromA, phase }) => ({
      payment: paymentId,
      amount,
      fromA,
      phase: PHASE[phase],
    }));
    const recorded = exit.pending.map((entry) => (entry.recorded === null ? 0 : OUTCOME[entry.recorded]));
    const side = exit.side === 'A' ? 0 : 1;
    const args = [[exit.depositA, exit.depositB], [sentA, sentB], side, entries, recorded];
    expect((await solidityAll('staleCredits', args)).map(String)).toEqual([exit.creditA, exit.creditB]);
    const payments = entries.map(({ payment }) => payment);
    const parts = entries.map(({ amount, fromA, phase }) => ({ ...NO_PAYMENT, amount, fromA, phase }));
    const signed = [domainSeparator, channelId, sentA, sentB, true, payments, parts];
    expect(await solidity('exitDigest', signed)).toBe(exit.digest);
  }
});

test('Solidity and EIP-712 derive the same digests of records', async () => {
  const domainSeparator = vectors.domains[1]?.domainSeparator;
  for (const { channelId, paymentId, outcome: name, digest } of vectors.records) {
    const outcome = OUTCOME[name];
    expect(await solidity('recordDigest', [domainSeparator, channelId, paymentId, outcome])).toBe(digest);
    expect(TypedDataEncoder.hash(typedDomain(), recordTypes, { channelId, paymentId, outcome })).toBe(digest);
  }
});
