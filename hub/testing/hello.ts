/** Genuine credentials without an enclave: keys from a number, quotes signed by an authority of the test's own. */

import { x25519 } from '@noble/curves/ed25519.js';
import { toHex } from '../../enclave/core/codec.ts';
import {
  type AddressCertificate,
  type AttestationPolicy,
  type Credential,
  certifyAddress,
  certifyExchangeKey,
  type Deployment,
  quoteDigest,
  reportData,
  type SessionTerms,
  signSession,
} from '../../enclave/core/credential.ts';
import type { Bytes32, Identity } from '../../enclave/core/ids.ts';
import { deriveExchangeSecret, derivePartyKey, type SigningKey, sign } from '../../enclave/core/keys.ts';
import type { Profile, TerminalMessage } from '../../enclave/core/wire.ts';
import { bytesNumber } from './names.ts';

export const measurement = bytesNumber(0x3ea5);
const authority = derivePartyKey(new Uint8Array(32).fill(0xaa), 0);

export const policy: AttestationPolicy = {
  authorities: [authority.address],
  measurements: [measurement],
  acceptEmulated: true,
};

/** The keys of a test terminal, always the same for one number. */
export class TestKeys {
  readonly identity: Identity;
  readonly #seed: Uint8Array;
  readonly #identityKey: SigningKey;

  constructor(number: number) {
    this.#seed = new Uint8Array(32).fill(number);
    this.#identityKey = derivePartyKey(this.#seed, 0);
    this.identity = this.#identityKey.address as Identity;
  }

  credential(deployment: Deployment, measured: Bytes32 = measurement): Credential {
    const exchangeKey = toHex(x25519.getPublicKey(deriveExchangeSecret(this.#seed))) as Bytes32;
    const report = reportData({ identity: this.identity, exchangeKey }, deployment);
    const signature = sign(quoteDigest(measured, report), authority);
    return {
      identity: this.identity,
      exchangeKey,
      keySignature: certifyExchangeKey(deployment.domain, this.#identityKey, exchangeKey),
      quote: { platform: 'emulated', measurement: measured, authority: authority.address, signature },
    };
  }

  certificate(deployment: Deployment, index: number): AddressCertificate {
    return certifyAddress(deployment.domain, this.#identityKey, derivePartyKey(this.#seed, index));
  }

  hello(
    deployment: Deployment,
    about: SessionTerms & { profile: Profile },
  ): Extract<TerminalMessage, { kind: 'hello' }> {
    return {
      kind: 'hello',
      credential: this.credential(deployment),
      certificates: [],
      profile: about.profile,
      audience: about.audience,
      signature: signSession(deployment.domain, this.#identityKey, about),
    };
  }
}
