/** What a hub is told at its start, checked once. */

import { z } from 'zod';
import { address, bytes32 } from '../enclave/core/ids.ts';
import { canonicalName } from './net/audience.ts';

/** A value of hex, through its one checked constructor. */
function hex<T>(read: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return read(text);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : 'is no hex');
      return z.NEVER;
    }
  });
}

const publicName = z.string().transform((text, context): string => {
  const name = canonicalName(text);
  if (name !== null) return name;
  context.addIssue(`${JSON.stringify(text)} is no host[:port], such as hub.example.org or hub.example.org:8080`);
  return z.NEVER;
});

const settings = z.strictObject({
  stepTimeoutMs: z.int().min(100).max(600_000).default(5_000),
  heldRetryMs: z.int().min(10).max(60_000).default(250),
  processingMs: z.number().min(0).max(1_000).default(1),
  initialRttMs: z.number().min(0).max(60_000).default(50),
  heartbeatMs: z.int().min(100).max(600_000).default(5_000),
  orderPatienceMs: z.int().min(0).max(60_000).default(2_000),
  restartGraceMs: z.coerce.number().int().min(0).max(60_000).default(5_000),
});

const hubConfigSchema = z.strictObject({
  /** Directory of the database; made where it does not exist. */
  data: z.string().min(1),
  /** JSON-RPC of the chain. */
  rpc: z.url({ protocol: /^https?$/ }),
  contract: hex(address),
  chainId: z.coerce
    .bigint()
    .min(1n)
    .max(2n ** 64n - 1n),
  /** 0: a free one. */
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
  /** By which terminals dial it, beside the address that it listens on: behind a proxy, a domain, a forwarded port. */
  publicNames: z.array(publicName).max(64).default([]),
  confirmations: z.coerce.number().int().min(0).max(10_000).default(1),
  fromBlock: z.coerce.number().int().min(0).default(0),
  pollMs: z.coerce.number().int().min(10).max(600_000).default(500),
  /** Whose quotes terminals must have (PROTOCOL.md section 6). */
  acceptAuthorities: z.array(hex(address)).min(1).max(16),
  acceptMeasurements: z.array(hex(bytes32)).min(1).max(64),
  acceptEmulated: z.boolean().default(false),
  settings: settings.prefault({}),
});

export type HubConfigInput = z.input<typeof hubConfigSchema>;
export type HubConfig = z.output<typeof hubConfigSchema>;

/** A mistake in the configuration, in words. */
class BadConfig extends Error {
  readonly code = 'BAD_CONFIG';
}

/** @throws BadConfig naming every field that is wrong */
export function parseConfig(input: HubConfigInput): HubConfig {
  const parsed = hubConfigSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new BadConfig(`The configuration is not usable. ${issues.join('; ')}. See hub --help.`);
}
