/**
 * Who a terminal is, provable to anybody: identity, X25519 key, the platform's quote over both, and certificates of
 * further addresses (PROTOCOL.md sections 3, 6 and 9).
 */

import {
  addressCodec,
  bool,
  bytes32Codec,
  identityCodec,
  list,
  oneOf,
  signatureCodec,
  struct,
  type TypeOf,
  text,
  toBytes,
} from './codec.ts';
import { keccak256 } from './hash.ts';
import type { Address, Bytes32, Hex, Identity } from './ids.ts';
import { recoverSigner, type SigningKey, sign, statement } from './keys.ts';

/** The contract on its chain that a terminal deals with; `domain` is its EIP-712 separator. */
export interface Deployment {
  chainId: bigint;
  contract: Address;
  domain: Bytes32;
}

/** Platforms that can measure and start an enclave. Only the emulated one exists; it protects by interface alone. */
const PLATFORMS = ['emulated'] as const;

export const quoteCodec = struct({
  platform: oneOf(PLATFORMS),
  /** SHA-256 of the exact enclave image that was started. */
  measurement: bytes32Codec,
  /** The attestation authority that signed. */
  authority: addressCodec,
  signature: signatureCodec,
});
export type Quote = TypeOf<typeof quoteCodec>;

export const credentialCodec = struct({
  identity: identityCodec,
  /** X25519 public key. */
  exchangeKey: bytes32Codec,
  /** The identity's own signature over the X25519 key. */
  keySignature: signatureCodec,
  quote: quoteCodec,
});
export type Credential = TypeOf<typeof credentialCodec>;

/**
 * An address that the enclave derived beside its identity, certified by both keys: the identity's says whose it is, the
 * address's own says that it agrees, so nobody certifies an address that belongs to another terminal.
 */
export const addressCertificateCodec = struct({
  address: addressCodec,
  signature: signatureCodec,
  addressSignature: signatureCodec,
});
export type AddressCertificate = TypeOf<typeof addressCertificateCodec>;

/**
 * The hub that a session is meant for: host[:port] as the terminal dialled it, lower-case, as `new URL(…).host` writes it
 * (the usual port of ws:// and wss:// is left out). Without it, a hub could hand another hub's challenge on and pose as
 * the terminal there.
 */
export const audienceCodec = text(255);

/** Whose quotes an owner accepts. Sealed; set at creation. */
export const attestationPolicyCodec = struct({
  authorities: list(addressCodec, 16),
  measurements: list(bytes32Codec, 64),
  /** Whether quotes of emulated platforms count at all. */
  acceptEmulated: bool,
});
export type AttestationPolicy = TypeOf<typeof attestationPolicyCodec>;

const utf8 = new TextEncoder();

function chainIdBytes(chainId: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, chainId);
  return bytes;
}

/** Report data of a quote: hash(identity, X25519 key, chainId, contract). */
export function reportData(owner: { identity: Identity; exchangeKey: Bytes32 }, deployment: Deployment): Uint8Array {
  return keccak256(
    toBytes(owner.identity),
    toBytes(owner.exchangeKey),
    chainIdBytes(deployment.chainId),
    toBytes(deployment.contract),
  );
}

/** What the attestation authority signs. */
export const quoteDigest = (measurement: Bytes32, report: Uint8Array): Uint8Array =>
  statement('baro emulated quote 1', toBytes(measurement), report);

const keyDigest = (domain: Bytes32, owner: Identity, exchangeKey: Bytes32): Uint8Array =>
  statement('baro exchange key 1', toBytes(domain), toBytes(owner), toBytes(exchangeKey));

const addressDigest = (domain: Bytes32, owner: Identity, certified: Address): Uint8Array =>
  statement('baro address 1', toBytes(domain), toBytes(owner), toBytes(certified));

/** What a terminal proves itself for: one challenge of one hub, by the name under which it dialled that hub. */
export interface SessionTerms {
  challenge: Bytes32;
  audience: string;
}

const sessionDigest = (domain: Bytes32, owner: Identity, { challenge, audience }: SessionTerms): Uint8Array =>
  statement('baro session 2', toBytes(domain), toBytes(owner), toBytes(challenge), utf8.encode(audience));

export function certifyExchangeKey(domain: Bytes32, identityKey: SigningKey, exchangeKey: Bytes32): Hex {
  return sign(keyDigest(domain, identityKey.address as Identity, exchangeKey), identityKey);
}

export function certifyAddress(domain: Bytes32, identityKey: SigningKey, certified: SigningKey): AddressCertificate {
  const digest = addressDigest(domain, identityKey.address as Identity, certified.address);
  return {
    address: certified.address,
    signature: sign(digest, identityKey),
    addressSignature: sign(digest, certified),
  };
}

/** Proves to a hub that the session's other end holds the identity (challenge of 32 random bytes from the hub). */
export function signSession(domain: Bytes32, identityKey: SigningKey, terms: SessionTerms): Hex {
  return sign(sessionDigest(domain, identityKey.address as Identity, terms), identityKey);
}

export function isSessionSignature(
  domain: Bytes32,
  session: SessionTerms & { identity: Identity; signature: Hex },
): boolean {
  return recoverSigner(sessionDigest(domain, session.identity, session), session.signature) === session.identity;
}

export function isCertifiedAddress(domain: Bytes32, owner: Identity, certificate: AddressCertificate): boolean {
  const digest = addressDigest(domain, owner, certificate.address);
  return (
    recoverSigner(digest, certificate.signature) === owner &&
    recoverSigner(digest, certificate.addressSignature) === certificate.address
  );
}

/** True where identity signed its X25519 key and the quote's signature is its authority's. Says nothing of policy. */
export function isGenuineCredential(credential: Credential, deployment: Deployment): boolean {
  const { identity, exchangeKey, keySignature, quote } = credential;
  const quoted = quoteDigest(quote.measurement, reportData(credential, deployment));
  return (
    recoverSigner(keyDigest(deployment.domain, identity, exchangeKey), keySignature) === identity &&
    recoverSigner(quoted, quote.signature) === quote.authority
  );
}

/** Why a policy refuses a quote, in words, or null where it accepts it. */
export function whyRefused(quote: Quote, policy: AttestationPolicy): string | null {
  if (!policy.acceptEmulated) return 'the quote comes from an EMULATED platform, which this policy does not accept';
  if (!policy.authorities.includes(quote.authority))
    return `the attestation authority ${quote.authority} is not accepted`;
  if (!policy.measurements.includes(quote.measurement)) return `the measurement ${quote.measurement} is not accepted`;
  return null;
}
