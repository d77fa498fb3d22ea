/** What a terminal keeps on its disk, and its enclave started from that: created on the first start, opened later. */

import { join } from 'node:path';
import { type Codec, encode } from '../enclave/core/codec.ts';
import type { AttestationPolicy } from '../enclave/core/credential.ts';
import { attestationPolicyCodec, isGenuineCredential } from '../enclave/core/credential.ts';
import { domainSeparator } from '../enclave/core/encoding.ts';
import type { Address } from '../enclave/core/ids.ts';
import type { Self } from '../enclave/core/interface.ts';
import { type OwnerPolicy, ownerPolicyCodec } from '../enclave/core/order.ts';
import { Enclave } from '../enclave/host/enclave.ts';
import type { EmulatedPlatform } from '../enclave/host/platform.ts';
import type { Journal } from './journal/journal.ts';
import { SqliteJournal } from './journal/sqlite-journal.ts';
import { asRefusal, codeOf, TerminalRefusal } from './refusal.ts';
import { FileVault } from './vault/file-vault.ts';

export interface Storage {
  enclave: Enclave;
  journal: Journal;
  self: Self;
  close(): Promise<void>;
}

export interface StorageOptions {
  dataDirectory: string;
  platform: EmulatedPlatform;
  chainId: bigint;
  contract: Address;
  attestation: AttestationPolicy;
  policy: OwnerPolicy;
  onFullDisk: () => void;
}

/**
 * @throws TerminalRefusal DATA_IN_USE, DATA_CORRUPT, WRONG_DEPLOYMENT, and what the enclave refuses to start from:
 * STALE, FOREIGN, CORRUPT
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const opened: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of opened.splice(0).reverse()) await end();
  };
  try {
    const vault = await FileVault.open(options.dataDirectory);
    opened.push(() => vault.close());
    const journal = await SqliteJournal.open(join(options.dataDirectory, 'journal.sqlite'));
    opened.push(() => journal.close());
    const enclave = await startEnclave(options, vault);
    opened.push(() => enclave.close());
    const self = await enclave.run({ kind: 'describe' });
    requireDeployment(self, options);
    const { policy, attestation } = options;
    if (!isSame(ownerPolicyCodec, self.policy, policy)) await enclave.run({ kind: 'setPolicy', ...policy });
    if (!isSame(attestationPolicyCodec, self.attestation, attestation)) {
      await enclave.run({ kind: 'setAttestation', ...attestation });
    }
    return { enclave, journal, self, close };
  } catch (error) {
    await close();
    throw asRefusal(error, 'DATA_CORRUPT');
  }
}

async function startEnclave(options: StorageOptions, vault: FileVault): Promise<Enclave> {
  const { platform, chainId, contract, attestation, policy } = options;
  const { onFullDisk } = options;
  const create = (): Promise<Enclave> =>
    Enclave.create({ platform, vault, chainId, contract, attestation, policy, onFullDisk });
  if (vault.empty) return create();
  try {
    return await Enclave.open({ platform, vault, onFullDisk });
  } catch (error) {
    // The process ended before the very first record was anchored: nothing was ever signed.
    if (codeOf(error) !== 'UNBORN') throw error;
    await vault.truncate(0);
    return create();
  }
}

/** Everything that the enclave signs is bound to one contract on one chain. */
function requireDeployment(self: Self, { chainId, contract, dataDirectory }: StorageOptions): void {
  const domain = domainSeparator(chainId, contract);
  if (isGenuineCredential(self.credential, { chainId, contract, domain })) return;
  throw new TerminalRefusal({
    code: 'WRONG_DEPLOYMENT',
    message: `The terminal in ${dataDirectory} was made for another contract or chain than ${contract} on chain ${chainId}. Start it with those, or choose another data directory for a new terminal.`,
  });
}

function isSame<T>(codec: Codec<T>, ...values: [T, T]): boolean {
  const [one, other] = values.map((value) => encode(codec, value).join());
  return one === other;
}
