/**
 * DATA/cashiers.json: who else than the owner may use a terminal, and for what. A cashier's token opens only the routes of
 * its scopes; of the token itself only a hash is kept here.
 */

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { Failure } from './failure.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** What a cashier may be given. Nothing here moves money out, and nothing else can be given. */
export const SCOPES = ['invoice', 'payments', 'balance'] as const;
export type Scope = (typeof SCOPES)[number];
export const scopeSchema = z.enum(SCOPES);

const MAX_CASHIERS = 200;
const TOKEN_BYTES = 32;

const cashierSchema = z.object({
  name: z.string(),
  may: z.array(scopeSchema),
  /** SHA-256 of the token. */
  tokenHash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
});
const fileSchema = z.object({ version: z.literal(1), cashiers: z.array(cashierSchema).max(MAX_CASHIERS) });
type Kept = z.output<typeof cashierSchema>;
export type Cashier = Omit<Kept, 'tokenHash'>;

/** One word for people and shells: what stands in a list beside invoices and payments. */
export const cashierNameSchema = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,31}$/u, 'must be 1 to 32 letters, digits, dots, dashes or underscores');

export class Cashiers {
  readonly #file: string;
  #cashiers: readonly Kept[];

  private constructor(file: string, cashiers: readonly Kept[]) {
    this.#file = file;
    this.#cashiers = cashiers;
  }

  /** @throws Failure UNREADABLE_FILE */
  static async open(dataDirectory: string): Promise<Cashiers> {
    const file = join(dataDirectory, 'cashiers.json');
    const text = await readPrivateFile(file);
    if (text === undefined) return new Cashiers(file, []);
    try {
      return new Cashiers(file, fileSchema.parse(JSON.parse(text)).cashiers);
    } catch (error) {
      throw new Failure(
        'UNREADABLE_FILE',
        `${file} is damaged or of another version. Restore it, or delete it and add the cashiers again.`,
        { cause: error },
      );
    }
  }

  list(): Cashier[] {
    return this.#cashiers.map(({ name, may, createdAt }) => ({ name, may, createdAt }));
  }

  /** @returns the token: it is told once and not kept @throws Failure CASHIER_EXISTS, TOO_MANY_CASHIERS */
  async add({ name, may }: { name: string; may: readonly Scope[] }): Promise<string> {
    if (this.#cashiers.some((each) => each.name === name)) {
      throw new Failure(
        'CASHIER_EXISTS',
        `There is a cashier ${name} already. Remove it first, or choose another name.`,
      );
    }
    if (this.#cashiers.length >= MAX_CASHIERS) {
      throw new Failure('TOO_MANY_CASHIERS', `${MAX_CASHIERS} cashiers are the most. Remove one that left.`);
    }
    const token = randomBytes(TOKEN_BYTES).toString('hex');
    const added = { name, may: [...new Set(may)], tokenHash: hashOf(token), createdAt: Date.now() };
    await this.#save([...this.#cashiers, added]);
    return token;
  }

  /** From now on its token opens nothing. @throws Failure UNKNOWN_CASHIER */
  async remove(name: string): Promise<void> {
    const left = this.#cashiers.filter((each) => each.name !== name);
    if (left.length === this.#cashiers.length) {
      throw new Failure('UNKNOWN_CASHIER', `There is no cashier ${name}. See baro cashier list.`);
    }
    await this.#save(left);
  }

  /** Hashes are compared, so the time that it takes tells nothing of a token. */
  find(token: string): Cashier | undefined {
    const tokenHash = hashOf(token);
    return this.#cashiers.find((each) => each.tokenHash === tokenHash);
  }

  async #save(cashiers: readonly Kept[]): Promise<void> {
    await writePrivateFile(this.#file, `${JSON.stringify({ version: 1, cashiers }, null, 2)}\n`);
    this.#cashiers = cashiers;
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
