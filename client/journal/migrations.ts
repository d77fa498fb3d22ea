/** The journal's tables, as steps that are applied once and in order; steps that were released never change. */

import type { Database } from '../database.ts';
import { TerminalRefusal } from '../refusal.ts';

/** Money is TEXT: SQLite's integers end at 2^63. */
const STEPS: readonly string[] = [
  `create table payments (
     sequence integer primary key autoincrement,
     key text not null unique,
     kind text not null check (kind in ('round', 'direct')),
     payment_id text,
     channel_id text,
     role text not null,
     phase text not null,
     token text not null,
     amount text not null,
     fee text,
     payer text not null,
     payee text,
     invoice text,
     order_id text,
     description text not null,
     hops integer not null,
     created_at integer not null,
     updated_at integer not null
   );
   create table cursor (
     only_row integer primary key check (only_row = 1),
     block_number integer not null,
     block_hash text not null,
     genesis_hash text not null
   );
   create table deposits (
     channel_id text not null,
     side text not null check (side in ('A', 'B')),
     total text not null,
     primary key (channel_id, side)
   );
   create table settlements (channel_id text primary key);
   create table peers (
     identity text primary key,
     name text not null,
     payout text not null,
     seen_at integer not null
   );
   create index peers_by_time on peers (seen_at);`,
];

/** @throws TerminalRefusal DATA_CORRUPT where a newer version wrote the file */
export async function migrate(database: Database, file: string): Promise<void> {
  const [row] = await database.all<{ user_version: number }>('pragma user_version');
  const version = row?.user_version ?? 0;
  if (version > STEPS.length) {
    throw new TerminalRefusal({
      code: 'DATA_CORRUPT',
      message: `${file} was written by a newer version of this program (tables of version ${version}, known here: ${STEPS.length}). Update this program.`,
    });
  }
  for (const [index, step] of STEPS.entries()) {
    if (index < version) continue;
    await database.execute(`begin immediate; ${step}; pragma user_version = ${index + 1}; commit;`);
  }
}
