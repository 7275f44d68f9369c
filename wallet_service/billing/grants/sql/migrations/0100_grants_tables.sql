-- Grants: credits of a wallet with a source, a priority, an expiry and a price. The wallet's balance has them all; what is not
-- granted is the rest of it.
create table billing.grants (
  grant_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  currency text collate "C" not null,
  source text not null check (source in ('purchase', 'promotion', 'plan', 'refund', 'adjustment')),
  priority smallint not null check (priority between 0 and 1000),
  amount numeric(38, 18) not null check (amount > 0),
  remaining numeric(38, 18) not null check (remaining >= 0),
  reserved numeric(38, 18) not null default 0 check (reserved between 0 and remaining),
  used numeric(38, 18) not null default 0 check (used >= 0),
  overdrawn numeric(38, 18) not null default 0 check (overdrawn >= 0),
  expired numeric(38, 18) not null default 0 check (expired >= 0),
  voided numeric(38, 18) not null default 0 check (voided >= 0),
  effective_at timestamptz not null,
  expires_at timestamptz not null default 'infinity',
  notice_at timestamptz not null default 'infinity',
  ended text check (ended in ('expired', 'voided')),
  transaction_id uuid,
  counter_account text collate "C" not null,
  pays text[] collate "C",
  is_transferable boolean not null default false,
  unit_cost numeric(38, 18) check (unit_cost >= 0),
  cost_currency text collate "C" references wallet.currencies (code),
  refund_grace_s bigint not null default 0 check (refund_grace_s between 0 and 315360000),
  original_grant_id uuid,
  schedule_id uuid,
  carried_from timestamptz,
  reference text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null,
  check (amount = remaining + used + overdrawn + expired + voided),
  check (expires_at >= effective_at or ended is not null)
) with (fillfactor = 80);
comment on column billing.grants.reserved is 'of what remains: for open holds';
comment on column billing.grants.used is 'what debits took, less what their refunds gave back';
comment on column billing.grants.overdrawn is 'what it stood for at its end was owed: the wallet had an overdraft';
comment on column billing.grants.notice_at is 'when grant.ending is recorded; infinity: it was, or never is';
comment on column billing.grants.transaction_id is 'the posting that brought it; null before it is effective';
comment on column billing.grants.counter_account is 'the other side of that posting';
comment on column billing.grants.pays is 'the only counter accounts that it pays; null: all';
comment on column billing.grants.unit_cost is 'the price that was paid for one credit, in cost_currency';
comment on column billing.grants.original_grant_id is 'of the part of an ended grant that a refund gave back';
comment on column billing.grants.carried_from is 'of a schedule: the end of the period from which the rest was carried over';
-- The order in which debits take from grants.
create index grants_in_order on billing.grants (wallet_id, priority, expires_at, effective_at, grant_id) where remaining > 0;
create index grants_restricted on billing.grants (wallet_id) where remaining > 0 and pays is not null;
create index grants_expiring on billing.grants (wallet_id, expires_at) where remaining > 0;
create index grants_ending on billing.grants (wallet_id, notice_at) where notice_at < 'infinity';
create index grants_scheduled on billing.grants (wallet_id, effective_at) where transaction_id is null and ended is null;
create index grants_of_wallet on billing.grants (wallet_id, grant_id);
create index grants_of_transaction on billing.grants (transaction_id);

-- What a posting took from grants, in order, and what refunds gave back.
create table billing.grant_usages (
  transaction_id uuid not null,
  wallet_id uuid not null,
  place integer not null,
  grant_id uuid not null,
  amount numeric(38, 18) not null check (amount > 0),
  returned numeric(38, 18) not null default 0 check (returned between 0 and amount),
  moved numeric(38, 18) not null default 0 check (moved between 0 and returned),
  rest numeric(38, 18) not null check (rest >= 0),
  rest_returned numeric(38, 18) not null default 0 check (rest_returned between 0 and rest),
  primary key (transaction_id, wallet_id, place)
);
comment on column billing.grant_usages.moved is 'of what was returned: to a new grant, because this one had ended';
comment on column billing.grant_usages.rest is 'what the posting still had to take after this; of its last row: what was not granted';
create index grant_usages_of_grant on billing.grant_usages (grant_id);

-- What changed the rest of a grant beside its begin and what debits took (grant_usages): so the rest at any moment is known.
create table billing.grant_movements (
  grant_id uuid not null,
  moved_at timestamptz not null,
  kind text not null check (kind in ('returned', 'overdrawn', 'expired', 'voided')),
  amount numeric(38, 18) not null check (amount > 0),
  transaction_id uuid
);
comment on column billing.grant_movements.kind is 'returned adds to the grant, the others take from it';
comment on column billing.grant_movements.transaction_id is 'the posting that did it; null: there was none';
create index grant_movements_of_grant on billing.grant_movements (grant_id, moved_at);

-- A grant that comes again, each month.
create table billing.grant_schedules (
  schedule_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  amount numeric(38, 18) not null check (amount > 0),
  source text not null check (source in ('purchase', 'promotion', 'plan', 'adjustment')),
  priority smallint not null check (priority between 0 and 1000),
  day_of_month smallint not null check (day_of_month between 1 and 31),
  time_zone text not null,
  rollover text not null check (rollover in ('none', 'all', 'cap', 'percent')),
  rollover_value numeric(38, 18) check (rollover_value > 0 and (rollover <> 'percent' or rollover_value <= 100)),
  next_at timestamptz not null,
  ends_at timestamptz not null default 'infinity',
  counter_account text collate "C" not null,
  pays text[] collate "C",
  is_transferable boolean not null default false,
  unit_cost numeric(38, 18) check (unit_cost >= 0),
  cost_currency text collate "C" references wallet.currencies (code),
  refund_grace_s bigint not null default 0 check (refund_grace_s between 0 and 315360000),
  notice_s bigint not null default 0 check (notice_s between 0 and 315360000),
  metadata jsonb not null default '{}',
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((rollover in ('cap', 'percent')) = (rollover_value is not null))
);
create index grant_schedules_of_wallet on billing.grant_schedules (wallet_id, next_at);

-- In memory, while a call decides: a grant from which a wallet can pay.
create type billing.grant_state as (
  grant_id uuid,
  priority smallint,
  effective_at timestamptz,
  expires_at timestamptz,
  pays text[],
  is_transferable boolean,
  remaining numeric,
  reserved numeric,
  used numeric,
  overdrawn numeric,
  voided numeric,
  ended text,
  changed boolean
);
-- The grants of a wallet, in the order in which debits take from them.
create type billing.wallet_grants as (
  grants billing.grant_state[],
  has_more boolean,               -- there are more in the table, after these
  is_restricted boolean,          -- a grant pays only some counter accounts, or has expired in this call: then all are here
  voided_now numeric              -- by the last step, of one grant
);
create type billing.grant_use as (
  transaction_id uuid,
  wallet_id uuid,
  place integer,
  grant_id uuid,
  amount numeric,
  returned numeric,
  moved numeric,
  rest numeric,
  rest_returned numeric,
  is_new boolean
);
-- A part of a grant: what a debit takes, or a hold reserves.
create type billing.grant_part as (grant_id uuid, amount numeric);
-- A row of grant_movements that is still to be written.
create type billing.grant_movement as (grant_id uuid, moved_at timestamptz, kind text, amount numeric, transaction_id uuid);
-- A change of a grant itself, to be recorded.
create type billing.grant_event as (type text, grant_id uuid, before jsonb, caller jsonb);
alter type wallet.room_state
  add attribute grant_wallets uuid[],             -- the wallets of grants_held, in its order
  add attribute grants_held billing.wallet_grants[],
  add attribute grants_new billing.grants[],
  add attribute grant_uses billing.grant_use[],
  add attribute grant_moves billing.grant_movement[],
  add attribute grant_events billing.grant_event[],
  add attribute grants_moved boolean;             -- the last part of a refund went to a new grant
create type billing.reservation as (
  state wallet.room_state,
  parts billing.grant_part[],
  shortfall numeric               -- above 0: so much can't be reserved
);
-- What is due next on the grants of a wallet.
create type billing.due_grant as (
  at timestamptz,
  kind text,                      -- expiry | notice | period | start
  id uuid                         -- of the grant, or of the schedule
);
