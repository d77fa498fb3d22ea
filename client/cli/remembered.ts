/**
 * DATA/terminal.json: what a terminal was started with first. Chain and contract are decided once: the enclave seals
 * them, and a hub that later names others is refused rather than believed.
 */

import { join } from 'node:path';
import { z } from 'zod';
import { type Address, address } from '../../enclave/core/ids.ts';
import { Failure } from './failure.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { toJson } from './screen.ts';

const money = z.string().regex(/^\d+$/).transform(BigInt);

const rememberedSchema = z.object({
  version: z.literal(1),
  chainId: z.string().regex(/^\d+$/).transform(BigInt),
  contract: z
    .string()
    .regex(/^0x[0-9a-f]{40}$/)
    .transform((text): Address => address(text)),
  /** No channel of this terminal is older than its first start. */
  fromBlock: z.number().int().nonnegative(),
  name: z.string(),
  hub: z.string(),
  /** Where that hub's sessions are. */
  hubUrl: z.string(),
  rpc: z.string(),
  platform: z.string(),
  ownerKeyFile: z.string().optional(),
  /** Of the enclave image that sealed the state. */
  measurement: z.string().optional(),
  /** Where the control API was last: cashiers' files name it. */
  controlPort: z.number().int().optional(),
  /** What the owner allows, as set last. */
  policy: z.object({
    forwarding: z.object({ feeBase: money, feePpm: z.number(), minAmount: money, maxAmount: money }).nullable(),
    acceptAnything: z.boolean(),
  }),
});
export type Remembered = z.output<typeof rememberedSchema>;

const rememberedFile = (dataDirectory: string): string => join(dataDirectory, 'terminal.json');

export async function writeRemembered(dataDirectory: string, remembered: Remembered): Promise<void> {
  await writePrivateFile(rememberedFile(dataDirectory), `${toJson(remembered)}\n`);
}

/** Undefined before the first start. @throws Failure UNREADABLE_FILE where there is one that makes no sense */
export async function readRemembered(dataDirectory: string): Promise<Remembered | undefined> {
  const file = rememberedFile(dataDirectory);
  const text = await readPrivateFile(file);
  if (text === undefined) return undefined;
  try {
    return rememberedSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure(
      'UNREADABLE_FILE',
      `${file} is damaged or of another version. Restore it from a backup; the money in the channels is not affected.`,
      { cause: error },
    );
  }
}
