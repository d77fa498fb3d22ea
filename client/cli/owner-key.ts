/**
 * The key of a terminal's owner: pays gas, and receives what the contract pays out. It lives outside the enclave on
 * purpose (PROTOCOL.md section 3): payouts survive the loss of the enclave's state.
 *
 * Plain text for now, and named so.
 */

import { join } from 'node:path';
import { Wallet } from 'ethers';
import { insecureKeyWarning } from './banner.ts';
import { usageFailure } from './failure.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

export const ownerKeyFile = (dataDirectory: string): string => join(dataDirectory, 'owner.INSECURE.key');

export interface OwnerKey {
  wallet: Wallet;
  /** What has to be said about where it is kept, at every start. */
  warning: string;
  created: boolean;
}

/**
 * Reads the owner's key from `keyFile`, else from the data directory, where it is created if there is none.
 * @throws Failure OWNER_KEY_MISSING, OWNER_KEY_MALFORMED
 */
export async function loadOwnerKey(dataDirectory: string, keyFile?: string): Promise<OwnerKey> {
  const file = keyFile ?? ownerKeyFile(dataDirectory);
  const text = await readPrivateFile(file);
  const warning = insecureKeyWarning(file);
  if (text !== undefined) return { wallet: parseKey(text.trim(), file), warning, created: false };
  if (keyFile !== undefined) {
    throw usageFailure('OWNER_KEY_MISSING', `There is no owner key at ${keyFile}. Check --owner-key-file.`);
  }
  const { privateKey } = Wallet.createRandom();
  await writePrivateFile(file, `${privateKey}\n`);
  return { wallet: new Wallet(privateKey), warning, created: true };
}

function parseKey(text: string, file: string): Wallet {
  try {
    if (!/^0x[0-9a-f]{64}$/i.test(text)) throw new RangeError('wrong length');
    return new Wallet(text);
  } catch {
    // The cause would carry the key into logs.
    throw usageFailure(
      'OWNER_KEY_MALFORMED',
      `${file} is no private key: it must hold 0x and 64 hex digits. Restore the file from your copy.`,
    );
  }
}
