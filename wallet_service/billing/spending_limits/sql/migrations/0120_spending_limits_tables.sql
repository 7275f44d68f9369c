-- Limits of what a wallet may spend: in one transaction, in a calendar period, in a rolling window.

-- One row for each wallet that has, or had, limits. Kept, so that a version is never that of another set.
create table billing.limit_sets (
  wallet_id uuid primary key,
  version bigint not null,
  updated_at timestamptz not null
);
comment on column billing.limit_sets.version is 'changes of the set; If-Match compares it';

create table billing.spending_limits (
  limit_id uuid primary key,
  wallet_id uuid not null,
  set_by text not null check (set_by in ('operator', 'owner')),
  place smallint not null check (place between 1 and 20),
  period text not null check (period in ('transaction', 'day', 'week', 'month', 'rolling')),
  time_zone text,
  window_s integer check (window_s between 60 and 31622400),
  counter_account text collate "C",
  amount numeric(38, 18) not null check (amount >= 0),
  used numeric(38, 18) not null default 0 check (used >= 0),
  starts_at timestamptz not null default '-infinity',
  ends_at timestamptz not null default 'infinity',
  tail bigint not null default 0 check (tail >= 0),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((period in ('day', 'week', 'month')) = (time_zone is not null)),
  check ((period = 'rolling') = (window_s is not null))
) with (fillfactor = 70);
comment on column billing.spending_limits.place is 'in the set of its side: operator or owner';
comment on column billing.spending_limits.counter_account is 'only debits against it count; with a * at its end, against all that begin with it; wallets: transfers; null: all';
comment on column billing.spending_limits.used is 'debits that count: of the period from starts_at to ends_at; of a rolling window, those after version tail';
comment on column billing.spending_limits.starts_at is 'begin of the period; of a rolling window: entries up to tail were posted then, or before';
comment on column billing.spending_limits.ends_at is 'end of the period; of a rolling window: no entry after tail falls out before';
comment on column billing.spending_limits.tail is 'of a rolling window: the newest version of the wallet that has fallen out of it';
create unique index spending_limits_of_wallet on billing.spending_limits (wallet_id, set_by, period, coalesce(time_zone, ''),
  coalesce(window_s, 0), coalesce(counter_account, ''));

-- In memory, while a call decides: a limit of one of its wallets.
create type billing.limit_state as (
  limit_id uuid,
  wallet_id uuid,
  set_by text,
  period text,
  time_zone text,
  span interval,                  -- of a rolling window, else 0
  counter_account text,
  pattern text,                   -- what counter accounts that count are like; null: all
  amount numeric,
  used numeric,                   -- when it was read; room_state.limits_used has it now
  starts_at timestamptz,
  ends_at timestamptz,
  tail bigint,
  last_entry bigint,              -- the newest version that the table of entries has
  exponent integer,
  rolled_at timestamptz           -- for this moment the counter is right
);
alter type wallet.room_state
  add attribute limits billing.limit_state[],
  add attribute limits_used numeric[],            -- in the order of limits
  add attribute limits_locked numeric[];          -- the locked balance of their wallets
