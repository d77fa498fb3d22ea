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
  `alter table payments add column revision integer not null default 0;
   alter table payments add column outcome text;
   update payments set revision = sequence;
   create index payments_by_revision on payments (revision);
   create index payments_by_order on payments (order_id);
   create index payments_by_invoice on payments (invoice);
   create index payments_locked on payments (sequence) where phase in ('PRE-UPDATE', 'POST-UPDATE');
   create table invoices (
     sequence integer primary key autoincrement,
     hash text not null unique,
     text text not null,
     token text not null,
     amount text not null,
     expiry integer not null,
     description text not null,
     order_number text,
     cashier text,
     cancelled_at integer,
     created_at integer not null
   );
   create index invoices_by_number on invoices (order_number);
   create index invoices_by_time on invoices (created_at);
   create table orders (
     sequence integer primary key autoincrement,
     order_id text not null unique,
     key text unique,
     parameters text not null,
     content text not null,
     handover_url text,
     refund_of text,
     outcome text,
     created_at integer not null
   );
   create index orders_by_refund on orders (refund_of);
   create index open_orders on orders (sequence) where outcome is null;`,
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
