/**
 * Who is at the other end (PROTOCOL.md section 6): verifies a hello before the core hears of it.
 *
 * Every signature is made for one chain and one contract, so a terminal of another network cannot pass by mistake.
 */

import type { AddressCertificate, AttestationPolicy, Deployment } from '../../enclave/core/credential.ts';
import {
  isCertifiedAddress,
  isGenuineCredential,
  isSessionSignature,
  whyRefused,
} from '../../enclave/core/credential.ts';
import type { Bytes32, Hex, Identity } from '../../enclave/core/ids.ts';
import type { TerminalMessage } from '../../enclave/core/wire.ts';
import { canonicalName } from './audience.ts';

export interface SessionRefusal {
  readonly code: string;
  readonly message: string;
}

export interface Gate {
  readonly deployment: Deployment;
  readonly policy: AttestationPolicy;
}

type Hello = Extract<TerminalMessage, { kind: 'hello' }>;

/** Two signatures are recovered for each certificate: some 4 ms, after which others get a turn. */
const CERTIFICATES_PER_TURN = 4;

/** What this hub gave a connection to prove itself by. */
export interface Asked {
  readonly challenge: Bytes32;
  /** Under which of them the terminal dialled this hub, its signature says. */
  readonly names: ReadonlySet<string>;
}

/** @returns why the session is refused, or null where everything in the hello is proven */
export async function whyHelloRefused(gate: Gate, hello: Hello, asked: Asked): Promise<SessionRefusal | null> {
  const { credential, audience } = hello;
  const { deployment } = gate;
  const why = whyRefused(credential.quote, gate.policy);
  if (why) {
    return {
      code: 'MEASUREMENT_REFUSED',
      message: `This hub does not accept the enclave: ${why}. Run an accepted image (GET /info lists them), or use another hub.`,
    };
  }
  const place = `chain ${deployment.chainId} and contract ${deployment.contract}`;
  if (!isGenuineCredential(credential, deployment)) {
    return {
      code: 'BAD_SIGNATURE',
      message: `The credential is not signed for ${place}: it was altered, or made for another chain or contract (WRONG_CHAIN). Create the terminal for this network, or use its own hub.`,
    };
  }
  if (!asked.names.has(canonicalName(audience) ?? '')) {
    return {
      code: 'WRONG_AUDIENCE',
      message: `The terminal dialled ${JSON.stringify(audience)}, which is no name of this hub; somebody may be handing its connection on. Dial the hub itself. If this is one of its names, its operator starts it with --public-name ${canonicalName(audience) ?? 'NAME'}.`,
    };
  }
  const proof = { identity: credential.identity, challenge: asked.challenge, audience, signature: hello.signature };
  if (!isSessionSignature(deployment.domain, proof)) {
    return {
      code: 'BAD_SIGNATURE',
      message: `The session signature does not prove ${credential.identity} for this challenge on ${place} (WRONG_CHAIN, or an old challenge). Connect again and sign the challenge that this connection gave.`,
    };
  }
  return whyCertificatesRefused(gate, credential.identity, { certificates: hello.certificates, proven: new Set() });
}

/** @param about `proven` holds signatures that were found good in this session; new ones are added */
export async function whyCertificatesRefused(
  gate: Gate,
  owner: Identity,
  about: { certificates: readonly AddressCertificate[]; proven: Set<Hex> },
): Promise<SessionRefusal | null> {
  let count = 0;
  for (const certificate of about.certificates) {
    const name = `${certificate.signature}${certificate.addressSignature}${certificate.address}` as Hex;
    if (about.proven.has(name)) continue;
    if (++count % CERTIFICATES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    if (!isCertifiedAddress(gate.deployment.domain, owner, certificate)) {
      return {
        code: 'BAD_SIGNATURE',
        message: `The certificate of the address ${certificate.address} is not signed by both ${owner} and that address for this contract. Announce only addresses that your enclave derived.`,
      };
    }
    about.proven.add(name);
  }
  return null;
}
