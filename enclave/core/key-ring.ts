/** The keys of one enclave: party keys by address, pair keys by peer. Derived from the seed, never sealed, bounded. */

import { x25519 } from '@noble/curves/ed25519.js';
import { toHex } from './codec.ts';
import { certifyExchangeKey } from './credential.ts';
import type { Address, Bytes32, Hex, Identity } from './ids.ts';
import { deriveExchangeSecret, derivePartyKey, type SigningKey } from './keys.ts';
import { MAX_PEERS } from './limits.ts';
import { derivePairKey, type PairPeer } from './pair.ts';

export class KeyRing {
  readonly identity: Identity;
  readonly exchangeKey: Bytes32;
  readonly #seed: Uint8Array;
  readonly #domain: Bytes32;
  readonly #exchangeSecret: Uint8Array;
  readonly #parties = new Map<Address, SigningKey>();
  readonly #pairKeys = new Map<string, Uint8Array>();
  readonly #identityKey: SigningKey;

  constructor(seed: Uint8Array, domain: Bytes32) {
    this.#seed = seed;
    this.#domain = domain;
    this.#exchangeSecret = deriveExchangeSecret(seed);
    this.exchangeKey = toHex(x25519.getPublicKey(this.#exchangeSecret)) as Bytes32;
    this.#identityKey = this.deriveNext();
    this.identity = this.#identityKey.address as Identity;
  }

  get identityKey(): SigningKey {
    return this.#identityKey;
  }

  /** Party keys so far; the first is the identity's. */
  get partyCount(): number {
    return this.#parties.size;
  }

  get partyKeys(): SigningKey[] {
    return [...this.#parties.values()];
  }

  /** The key that `deriveNext` will add. */
  peekNext(): SigningKey {
    return derivePartyKey(this.#seed, this.#parties.size);
  }

  deriveNext(): SigningKey {
    const key = this.peekNext();
    this.#parties.set(key.address, key);
    return key;
  }

  partyKey(party: Address): SigningKey | null {
    return this.#parties.get(party) ?? null;
  }

  certifyExchangeKey(): Hex {
    return certifyExchangeKey(this.#domain, this.#identityKey, this.exchangeKey);
  }

  /** False for a key of low order, which would give the all-zero secret (RFC 7748, section 6.1). */
  canPairWith(peer: PairPeer): boolean {
    try {
      return this.pairKey(peer).length > 0;
    } catch {
      return false;
    }
  }

  /** K_ij of section 9; kept, because the first derivation of a pair costs a scalar multiplication. */
  pairKey(peer: PairPeer): Uint8Array {
    const name = `${peer.identity}${peer.exchangeKey}`;
    let key = this.#pairKeys.get(name);
    if (!key) {
      key = derivePairKey({ identity: this.identity, secret: this.#exchangeSecret }, peer, this.#domain);
      if (this.#pairKeys.size >= MAX_PEERS) this.#pairKeys.clear();
      this.#pairKeys.set(name, key);
    }
    return key;
  }
}
