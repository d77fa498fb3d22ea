/** Primitives against vectors that others published: a wrong hash or curve must not hide behind our own consistency. */
import { x25519 } from '@noble/curves/ed25519.js';
import { keccak256 as ethersKeccak, getAddress, verifyTypedData, Wallet } from 'ethers';
import { describe, expect, it } from 'vitest';
import { toBytes, toHex } from './codec.ts';
import { domainSeparator, exitDigest, recordDigest } from './encoding.ts';
import { ascii, equalBytes, keccak256, keyedHash } from './hash.ts';
import { address, channelId, type Hex, paymentId } from './ids.ts';
import { derivePartyKey, recoverSigner, sign } from './keys.ts';
import { aggregate, evidence } from './pair.ts';

describe('hashes', () => {
  it('keccak256 gives the values of the Ethereum yellow paper', () => {
    expect(toHex(keccak256(new Uint8Array()))).toBe(
      '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    );
    const long = Uint8Array.from({ length: 300 }, (_, index) => index & 255);
    expect(toHex(keccak256(long.subarray(0, 100), long.subarray(100)))).toBe(ethersKeccak(long));
  });

  it('keyed BLAKE3 gives the published test vectors (BLAKE3 team, test_vectors.json)', () => {
    const key = ascii('whats the Elvish word for friend');
    const input = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);
    const vectors: [number, string][] = [
      [0, '0x92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26'],
      [1, '0x6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b'],
      [1024, '0x75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4'],
    ];
    for (const [length, expected] of vectors) expect(toHex(keyedHash(key, input(length)))).toBe(expected);
  });
});

describe('curves', () => {
  it('X25519 gives the vector of RFC 7748, section 6.1', () => {
    const bob = toBytes('0x5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const alicePublic = '0x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
    expect(toHex(x25519.getSharedSecret(bob, toBytes(alicePublic)))).toBe(
      '0x4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
    );
    expect(() => x25519.getSharedSecret(bob, new Uint8Array(32))).toThrow();
  });

  it('signs as Ethereum wallets do: same address, same EIP-712 digests, low s', async () => {
    const key = derivePartyKey(new Uint8Array(32).fill(3), 4);
    const wallet = new Wallet(toHex(key.secret));
    expect(getAddress(key.address)).toBe(wallet.address);
    const contract = address(`0x${'c0'.repeat(20)}`);
    const domain = { name: 'Baro', version: '1', chainId: 5n, verifyingContract: contract };
    const separator = domainSeparator(5n, contract);
    const ids = { channelId: channelId(`0x${'01'.repeat(32)}`), paymentId: paymentId(`0x${'02'.repeat(32)}`) };
    const pending = [{ paymentId: ids.paymentId, amount: 7n, fromA: true, phase: 'POST-UPDATE' as const }];
    const exit = { channelId: ids.channelId, sentA: 2n ** 128n - 1n, sentB: 0n, stale: false, pending };
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
    const typed = { ...exit, pending: pending.map((each) => ({ ...each, phase: 2 })) };
    const signature = sign(exitDigest(separator, exit), key);
    expect(verifyTypedData(domain, exitTypes, typed, signature)).toBe(wallet.address);
    expect(await wallet.signTypedData(domain, exitTypes, typed)).toBe(signature);
    const recordTypes = {
      Record: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'paymentId', type: 'bytes32' },
        { name: 'outcome', type: 'uint8' },
      ],
    };
    const recorded = sign(recordDigest(separator, { ...ids, outcome: 'VOID' }), key);
    expect(verifyTypedData(domain, recordTypes, { ...ids, outcome: 1 }, recorded)).toBe(wallet.address);
  });

  it('recovers nobody from a signature that is malformed or has a high s', () => {
    const key = derivePartyKey(new Uint8Array(32).fill(3), 0);
    const digest = keccak256(ascii('digest'));
    const signature = sign(digest, key);
    expect(recoverSigner(digest, signature)).toBe(key.address);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = order - BigInt(`0x${signature.slice(66, 130)}`);
    const v = signature.endsWith('1b') ? '1c' : '1b';
    const high = `${signature.slice(0, 66)}${s.toString(16).padStart(64, '0')}${v}` as Hex;
    expect(recoverSigner(digest, high)).toBeNull();
    for (const bad of ['0x', `${signature}00`, `0x${'00'.repeat(65)}`, `${signature.slice(0, 130)}05`]) {
      expect(recoverSigner(digest, bad as Hex)).toBeNull();
    }
  });
});

describe('evidence', () => {
  const key = new Uint8Array(32).fill(1);
  const about = { paymentId: paymentId(`0x${'02'.repeat(32)}`), sender: address(`0x${'0a'.repeat(20)}`) as never };

  it('differs with key, tag, payment and sender', () => {
    const all = [
      evidence(key, 'PRE', about),
      evidence(key, 'POST', about),
      evidence(key, 'REJECT', about),
      evidence(key, 'DONE', about),
      evidence(new Uint8Array(32).fill(2), 'PRE', about),
      evidence(key, 'PRE', { ...about, paymentId: paymentId(`0x${'03'.repeat(32)}`) }),
      evidence(key, 'PRE', { ...about, sender: address(`0x${'0b'.repeat(20)}`) as never }),
    ];
    expect(new Set(all.map(toHex)).size).toBe(all.length);
    for (const mac of all) expect(mac).toHaveLength(16);
  });

  it('sums by XOR in any order, so one missing or doubled sender shows', () => {
    const macs = [1, 2, 3].map((fill) => evidence(new Uint8Array(32).fill(fill), 'PRE', about));
    const whole = aggregate(macs);
    expect(aggregate([...macs].reverse())).toEqual(whole);
    expect(equalBytes(aggregate(macs.slice(1)), whole)).toBe(false);
    expect(equalBytes(aggregate([...macs, ...macs.slice(0, 1)]), whole)).toBe(false);
  });
});
