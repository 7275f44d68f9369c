-- The tables of the ledger. Forward only: after a release this file is never edited.

create table wallet.currencies (
  code text collate "C" primary key,
  exponent smallint not null check (exponent between 0 and 18),
  kind text not null check (kind in ('fiat', 'crypto', 'credit')),
  name text not null
);
comment on column wallet.currencies.exponent is 'decimals; an amount with more is refused, never rounded';

-- Checked where a value is created. A check of the table would be read from the catalog and evaluated by every statement that
-- writes a row, even where the column does not change: a third of the cost of a posting's writes.
create domain wallet.wallet_type as text check (value in ('fiat', 'crypto', 'hybrid'));
create domain wallet.wallet_status as text check (value in ('active', 'frozen', 'closed'));
create domain wallet.direction as text check (value in ('credit', 'debit'));
create domain wallet.key_kind as text check (value in ('posting', 'wallet'));
create domain wallet.amount as numeric(38, 18) check (value > 0);
create domain wallet.amount_or_none as numeric(38, 18) check (value >= 0);

create table wallet.wallets (
  wallet_id uuid primary key,
  user_id text collate "C" not null,
  organization_id text collate "C",
  name text not null,
  wallet_type wallet.wallet_type not null,
  currency text collate "C" not null references wallet.currencies (code),
  network text,
  address text,
  balance numeric(38, 18) not null default 0,
  locked_balance wallet.amount_or_none not null default 0,
  credit_limit wallet.amount_or_none not null default 0,
  status wallet.wallet_status not null default 'active',
  is_primary boolean not null default false,
  version bigint not null default 1,
  last_entry bigint not null default 0,
  last_posted_at timestamptz not null default '-infinity',
  metadata jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint wallets_available check (balance - locked_balance >= -credit_limit)
) with (fillfactor = 70);
comment on column wallet.wallets.version is 'changes of the wallet itself; If-Match compares it';
comment on column wallet.wallets.last_entry is 'wallet_version of its newest ledger row';
create unique index wallets_open_name on wallet.wallets (user_id, wallet_type, currency, name) where status <> 'closed';
create unique index wallets_primary on wallet.wallets (user_id, currency) where is_primary;
create index wallets_user on wallet.wallets (user_id, wallet_id);

-- One row for each wallet that a posting touches. No foreign key to wallets: the kernel has locked the wallet when it writes,
-- wallets are never deleted, and the check would cost a lock on a hot row for each posting.
create table wallet.wallet_transactions (
  wallet_id uuid not null,
  wallet_version bigint not null,
  transaction_id uuid not null,
  leg smallint not null,
  created_at timestamptz not null,
  effective_at timestamptz not null,
  transaction_type text not null,
  direction wallet.direction not null,
  currency text collate "C" not null,
  amount wallet.amount not null,
  balance_before numeric(38, 18) not null,
  balance_after numeric(38, 18) not null,
  counter_account text collate "C" not null,
  original_transaction_id uuid,
  user_id text collate "C" not null,
  client_id text collate "C" not null,
  reference text,
  description text,
  metadata jsonb not null,
  primary key (wallet_id, wallet_version),
  unique (transaction_id, leg)
);
create index wallet_transactions_original on wallet.wallet_transactions (original_transaction_id)
  where original_transaction_id is not null;

create table wallet.idempotency (
  client_id text collate "C" not null,
  key text collate "C" not null,
  kind wallet.key_kind not null,
  transaction_id uuid not null,
  request_hash bytea not null,
  answer text,
  created_at timestamptz not null,
  primary key (client_id, key)
);
comment on column wallet.idempotency.answer is 'the response to the creation of a wallet; the response to a posting is its ledger rows, which never change';

-- An operation whose second attempt was refused: its first attempt must not post when it arrives late.
create table wallet.tombstones (
  transaction_id uuid primary key,
  created_at timestamptz not null
);

-- Totals of a wallet's rows 1 … wallet_version, at every 1,000th version.
create table wallet.checkpoints (
  wallet_id uuid not null,
  wallet_version bigint not null,
  transaction_type text not null,
  direction text not null,
  counter_account text collate "C" not null,
  transactions bigint not null,
  amount numeric not null,
  primary key (wallet_id, wallet_version, transaction_type, direction, counter_account)
);

create function wallet.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% of %.% is refused: the ledger is append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'WL003';
end $$;
create trigger append_only before update or delete or truncate on wallet.wallet_transactions
  for each statement execute function wallet.refuse_change();
create trigger kept_for_ever before delete or truncate on wallet.wallets
  for each statement execute function wallet.refuse_change();

-- An operation as its caller wrote it; as text, so that a fault in it can be reported.
create type wallet.operation_form as (
  transaction_id text,
  type text,
  wallet_id text,
  to_wallet_id text,
  original_transaction_id text,
  client_id text,
  idempotency_key text,
  acting_user_id text,
  amount text,
  counter_account text,
  reference text,
  description text,
  metadata jsonb,
  effective_at text
);
-- A ledger row as callers see it.
create type wallet.shown_entry as (
  transaction_id uuid,
  leg smallint,
  transaction_type text,
  wallet_id uuid,
  user_id text,
  currency text,
  direction text,
  amount text,
  balance_before text,
  balance_after text,
  wallet_version bigint,
  counter_account text,
  original_transaction_id uuid,
  client_id text,
  reference text,
  description text,
  metadata jsonb,
  effective_at text,
  created_at text
);
-- What the steps of a posting pass to each other.
create type wallet.operation as (   -- the members of the form, and what the call knows of it
  ordinal integer,                -- place in the call, from 1
  unit integer,
  position integer,               -- place in its unit, from 0
  ends_unit boolean,
  atomic boolean,
  dry_run boolean,
  resent boolean,
  leader integer,                 -- ordinal of the first operation of this call with the same key
  claims boolean,                 -- it is the first with its key that would use it
  client_id text,
  idempotency_key text,
  request_hash bytea,
  acting_user_id text,            -- if set: it may debit only wallets of this user
  transaction_id uuid,
  type text,
  wallet_id uuid,
  to_wallet_id uuid,
  original_transaction_id uuid,
  amount numeric,
  counter_account text,
  reference text,
  description text,
  metadata jsonb,
  effective_at timestamptz,
  refusal text,                   -- problem code of a fault of the operation itself
  facts jsonb
);
create type wallet.account as (
  wallet_id uuid,
  user_id text,
  currency text,
  exponent integer,
  balance numeric,
  locked_balance numeric,
  credit_limit numeric,
  status text,                    -- of the wallet, or 'busy': another session has locked it
  last_entry bigint,
  last_posted_at timestamptz
);
create type wallet.known as (     -- what earlier calls left that matters to this one
  superseded uuid[],              -- of its transaction_ids: a later attempt was already refused
  posted uuid[],                  -- of its transaction_ids: in the ledger
  spent wallet.idempotency[]      -- by leader: the key, where an earlier call used it
);
create type wallet.decision as (
  status text,                    -- posted | replayed | dry_run | refused | busy
  code text,
  facts jsonb,
  exponent integer,
  entries wallet.wallet_transactions[],
  fresh boolean                   -- decided and posted by this call: its entries have yet to be written
);
create type wallet.decided as (
  accounts wallet.account[],      -- as the postings leave them
  decisions wallet.decision[]
);
