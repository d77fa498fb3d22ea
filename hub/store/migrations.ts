/**
 * The database's schema as numbered steps; the file's `user_version` says how many were taken. A step is never changed
 * once released. Money is TEXT: INTEGER columns lose precision past 2^53 on their way into JavaScript.
 */

/** Written into the file's header: "Baro". */
export const APPLICATION_ID = 0x4261726f;

export const migrations: readonly string[] = [
  `
  create table meta (key text primary key, value text not null) strict, without rowid;
  create table channels (
    channel_id text primary key,
    party_a text not null, party_b text not null, payout_a text not null, payout_b text not null,
    token text not null, challenge_period integer not null, salt text not null,
    deposit_a text not null, deposit_b text not null,
    settled integer not null, credit_a text, credit_b text
  ) strict, without rowid;
  create index channels_open on channels (channel_id) where settled = 0;
  create table terminals (identity text primary key, introduction blob not null, profile blob not null)
    strict, without rowid;
  create table payments (
    sequence integer primary key autoincrement,
    payment_id text not null unique, order_id text not null, attempt integer not null,
    payer text not null, payee text not null, token text not null,
    amount text not null, fee text not null, expiry integer not null,
    ordered blob not null, terms blob not null, participants text not null,
    state text not null, code text not null, message text not null,
    evidence blob, rejected_by text,
    begun_ms integer not null, moved_ms integer not null
  ) strict;
  create index payments_unfinished on payments (sequence)
    where state in ('preparing', 'updating', 'completing', 'aborting');
  create index payments_by_expiry on payments (expiry);
  create table chain_cursor (
    only integer primary key check (only = 1),
    next_block integer not null, anchor_block integer, anchor_hash text
  ) strict;
  `,
];
