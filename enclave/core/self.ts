/** Who this terminal is, whom it knows, and what its owner wishes (PROTOCOL.md sections 3, 4 and 6). */

import type { Credential, Quote } from './credential.ts';
import { certifyAddress, isCertifiedAddress, isGenuineCredential, signSession, whyRefused } from './credential.ts';
import { type Decider, decided, refused } from './decision.ts';
import type { Identity } from './ids.ts';
import { MAX_ADDRESSES, MAX_PEERS, MAX_PENDING_CONTRACT } from './limits.ts';
import type { PairPeer } from './pair.ts';
import { isAccepted, type State } from './state.ts';

/** The quote comes from the platform at every start and is not part of the state. */
export function ownCredential(state: State, quote: Quote): Credential {
  const { identity, exchangeKey } = state.keyRing;
  return { identity, exchangeKey, keySignature: state.keyRing.certifyExchangeKey(), quote };
}

export const deriveAddress: Decider<'deriveAddress'> = (state) => {
  const { keyRing, deployment } = state;
  if (keyRing.partyCount >= MAX_ADDRESSES) {
    return refused(
      'TOO_MANY_ADDRESSES',
      `${MAX_ADDRESSES} addresses are derived already; use one of them for the next channel.`,
    );
  }
  const next = keyRing.peekNext();
  const certificate = certifyAddress(deployment.domain, keyRing.identityKey, next);
  return decided({ kind: 'address', ...certificate }, { kind: 'addressDerived' });
};

export const ownCertificates = (state: State) =>
  state.keyRing.partyKeys
    .filter((key) => key !== state.keyRing.identityKey)
    .map((key) => certifyAddress(state.deployment.domain, state.keyRing.identityKey, key));

/**
 * Keeps another terminal's credential where its signatures hold; whether the owner's policy accepts the quote is asked
 * at each use. An address belongs to the first accepted terminal that certified it.
 */
export const introduce: Decider<'introduce'> = (state, command) => {
  const { credential, certificates } = command;
  const { identity } = credential;
  if (identity === state.keyRing.identity) return decided({ kind: 'ok' });
  const known = state.peers.get(identity);
  const sameKey = known && JSON.stringify(known.credential) === JSON.stringify(credential);
  if (!sameKey && !isGenuineCredential(credential, state.deployment)) {
    return refused(
      'FORGED_CREDENTIAL',
      `The credential of ${identity} does not carry valid signatures for this contract; ask its sender for the right one.`,
    );
  }
  if (!sameKey && !state.keyRing.canPairWith({ identity, exchangeKey: credential.exchangeKey })) {
    return refused('BAD_KEY', `The X25519 key of ${identity} is of low order; no honest enclave has such a key.`);
  }
  const mine = new Set(known?.certificates.map((certificate) => certificate.address));
  const fresh = certificates.filter((certificate) => !mine.has(certificate.address));
  for (const certificate of fresh) {
    if (!isCertifiedAddress(state.deployment.domain, identity, certificate)) {
      return refused(
        'FORGED_CERTIFICATE',
        `The certificate of ${certificate.address} is not signed by ${identity}; ask its sender for the right one.`,
      );
    }
    const holder = state.index.addressOwner.get(certificate.address) ?? identity;
    const takesOver = isAccepted(state, credential) && !acceptedPeer(state, holder);
    if (state.keyRing.partyKey(certificate.address) || (holder !== identity && !takesOver)) {
      return refused('ADDRESS_TAKEN', `${certificate.address} is certified for another terminal already.`);
    }
  }
  if (sameKey && fresh.length === 0) return decided({ kind: 'ok' });
  if (!known && state.peers.size >= MAX_PEERS) {
    return refused('TOO_MANY_PEERS', `${MAX_PEERS} other terminals are known already; this enclave keeps no more.`);
  }
  const all = [...(known?.certificates ?? []), ...fresh];
  if (all.length > MAX_ADDRESSES)
    return refused('TOO_MANY_ADDRESSES', `${identity} certifies more than ${MAX_ADDRESSES} addresses.`);
  return decided({ kind: 'ok' }, { kind: 'introduced', credential, certificates: all });
};

/** The keys of a peer whose quote the owner's policy accepts, or null. */
export function acceptedPeer(state: State, identity: Identity): PairPeer | null {
  const known = state.peers.get(identity);
  if (!known || !isAccepted(state, known.credential)) return null;
  return { identity, exchangeKey: known.credential.exchangeKey };
}

/** Why no pair key is used with a peer, in words. */
export function whyNoPeer(state: State, identity: Identity): string {
  const known = state.peers.get(identity);
  if (!known) return `${identity} was not introduced; look it up at the hub first`;
  return whyRefused(known.credential.quote, state.attestation) ?? 'it is accepted';
}

/** Replaces whose quotes the owner accepts. Payments under way keep the keys that they were prepared under. */
export const setAttestation: Decider<'setAttestation'> = (_state, command) => {
  const { kind: _, ...attestation } = command;
  return decided({ kind: 'ok' }, { kind: 'attestationSet', ...attestation });
};

export const setPolicy: Decider<'setPolicy'> = (_state, command) => {
  const { kind: _, ...policy } = command;
  if (policy.maxPending < 1 || policy.maxPending > MAX_PENDING_CONTRACT) {
    return refused(
      'POLICY_OUT_OF_RANGE',
      `maxPending must be 1 to ${MAX_PENDING_CONTRACT}: the contract settles no more at once.`,
    );
  }
  const tokens = new Set(policy.forwarding.map((each) => each.token));
  if (tokens.size !== policy.forwarding.length) {
    return refused('POLICY_TWICE', 'Two forwarding policies name the same token; give one per token.');
  }
  return decided({ kind: 'ok' }, { kind: 'policySet', ...policy });
};

export const session: Decider<'session'> = (state, command) =>
  decided({
    kind: 'signature',
    signature: signSession(state.deployment.domain, state.keyRing.identityKey, command),
  });
