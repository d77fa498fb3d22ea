/**
 * DATA/control.json: where the running daemon of a data directory listens, and the token that opens it. Whoever can
 * read it can spend, so only the owner can; it disappears when the daemon stops.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EXIT_USAGE, Failure, usageFailure } from './failure.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const controlSchema = z.object({
  version: z.literal(1),
  url: z.string().regex(/^http:\/\/127\.0\.0\.1:\d+$/),
  token: z.string().regex(/^[0-9a-f]{64}$/),
  pid: z.number().int().positive(),
});
export type Control = z.infer<typeof controlSchema>;

/** What a cashier is given: the same door, another key. */
const credentialsSchema = controlSchema.omit({ pid: true }).extend({ cashier: z.string(), may: z.array(z.string()) });
export type Credentials = z.infer<typeof credentialsSchema>;

/** @throws Failure NO_CREDENTIALS */
export async function readCredentials(file: string): Promise<Credentials> {
  const text = await readPrivateFile(file);
  if (text === undefined) {
    throw usageFailure('NO_CREDENTIALS', `There is no file ${file}. The owner makes one: baro cashier add --help`);
  }
  try {
    return credentialsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Failure('NO_CREDENTIALS', `${file} holds no cashier’s credentials. Ask the owner for new ones.`, {
      exitCode: EXIT_USAGE,
      cause: error,
    });
  }
}

export const controlFile = (dataDirectory: string): string => join(dataDirectory, 'control.json');

export const writeControl = (dataDirectory: string, control: Control): Promise<void> =>
  writePrivateFile(controlFile(dataDirectory), `${JSON.stringify(control, null, 2)}\n`);

/** Undefined where no daemon runs, or what it left behind cannot be read. */
export async function readControl(dataDirectory: string): Promise<Control | undefined> {
  const text = await readPrivateFile(controlFile(dataDirectory));
  if (text === undefined) return undefined;
  try {
    return controlSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export const removeControl = (dataDirectory: string): Promise<void> => rm(controlFile(dataDirectory), { force: true });
