-- Auto top-up: a rule of a wallet, and the top-ups that it, or a caller, starts.

-- One row for each wallet that has, or had, a rule. Kept, so that a version is never that of another rule.
create table billing.top_up_rules (
  wallet_id uuid primary key,
  is_set boolean not null,
  version bigint not null,
  threshold numeric(38, 18) not null check (threshold >= 0),
  target numeric(38, 18) check (target > threshold),
  amount numeric(38, 18) check (amount > 0),
  payment_method text not null,
  max_charges smallint not null check (max_charges between 1 and 100),
  max_amount numeric(38, 18) check (max_amount > 0),
  window_s integer not null check (window_s between 60 and 31622400),
  max_declines smallint not null check (max_declines between 1 and 100),
  backoff_s integer not null check (backoff_s between 1 and 86400),
  declines smallint not null default 0 check (declines >= 0),
  pause_reason text check (pause_reason in ('charge_limit', 'declined', 'too_many_declines', 'rights_lost', 'failed')),
  paused_until timestamptz,
  creator jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((target is null) <> (amount is null)),
  check ((pause_reason is null) = (paused_until is null))
) with (fillfactor = 70);
comment on column billing.top_up_rules.is_set is 'false: the rule was deleted';
comment on column billing.top_up_rules.version is 'changes of the rule by callers; If-Match compares it';
comment on column billing.top_up_rules.threshold is 'of the available balance: at it, or below, the wallet is topped up';
comment on column billing.top_up_rules.target is 'each top-up is what is missing to it; null: it is the amount';
comment on column billing.top_up_rules.max_charges is 'at most so many charges, and max_amount in all, in window_s seconds';
comment on column billing.top_up_rules.declines is 'in a row';
comment on column billing.top_up_rules.paused_until is 'infinity: until the rule is set again';
comment on column billing.top_up_rules.creator is 'under whose rights it charges: as a job has its creator';

-- A top-up: one charge, and the deposit of what was charged.
create table billing.top_ups (
  top_up_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  currency text collate "C" not null,
  trigger text not null check (trigger in ('rule', 'request')),
  state text not null check (state in ('created', 'charging', 'pending', 'charged', 'completed', 'declined', 'failed', 'cancelled',
    'refunded')),
  amount numeric(38, 18) not null check (amount > 0),
  payment_method text not null,
  reference text,
  metadata jsonb not null default '{}',
  creator jsonb not null,
  payment_id text,
  transaction_id uuid not null unique,
  deposits_sent integer not null default 0,
  looks integer not null default 0,
  failure jsonb,
  job_id uuid not null,
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz not null,
  check ((started_at is not null) or state in ('created', 'cancelled')),
  check ((ended_at is not null) = (state in ('completed', 'declined', 'failed', 'cancelled', 'refunded'))),
  check ((failure is not null) = (state in ('declined', 'failed', 'cancelled'))),
  check (payment_id is not null or state not in ('pending', 'charged', 'completed', 'refunded'))
) with (fillfactor = 80);
comment on column billing.top_ups.trigger is 'what started it: the rule of the wallet, or a request';
comment on column billing.top_ups.creator is 'under whose rights it charges: as a job has its creator';
comment on column billing.top_ups.payment_id is 'of the payment service; null: not known yet';
comment on column billing.top_ups.transaction_id is 'of the deposit, before it is posted';
comment on column billing.top_ups.deposits_sent is 'attempts of the deposit: no earlier one can post after a later one was refused';
comment on column billing.top_ups.looks is 'at the payment while it was pending: the pause before the next one grows';
comment on column billing.top_ups.job_id is 'the newest job that advances it';
-- Single flight: a wallet has at most one charge under way.
create unique index top_ups_in_flight on billing.top_ups (wallet_id) where state in ('created', 'charging', 'pending');
create index top_ups_of_wallet on billing.top_ups (wallet_id, top_up_id);
create index top_ups_of_payment on billing.top_ups (payment_id) where payment_id is not null;
create index top_ups_charged on billing.top_ups (wallet_id, started_at)
  where trigger = 'rule' and started_at is not null and state not in ('declined', 'cancelled');
create index top_ups_open on billing.top_ups (top_up_id) where state in ('created', 'charging', 'pending', 'charged');
