-- Alerts: lines of a wallet's available balance (balance - locked_balance); each crossing is an event.
create table billing.alerts (
  alert_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  currency text collate "C" not null,
  set_by text not null check (set_by in ('operator', 'owner')),
  name text not null default '',
  amount numeric(38, 18) check (amount >= 0),
  percent numeric(7, 4) check (percent between 0 and 100),
  hysteresis numeric(38, 18) not null default 0 check (hysteresis >= 0),
  granted numeric check (granted >= 0),
  state text not null default 'ok' check (state in ('ok', 'low', 'depleted')),
  quiet_above numeric not null default '-Infinity',
  quiet_below numeric not null default 'Infinity',
  crossed_at timestamptz,
  crossed_balance numeric,
  transaction_id uuid,
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((amount is null) <> (percent is null)),
  check ((percent is null) = (granted is null))
) with (fillfactor = 80);
comment on column billing.alerts.amount is 'the threshold; null: it is percent of granted';
comment on column billing.alerts.hysteresis is 'how far above the threshold the balance recovers: an amount, or of a percentage, points';
comment on column billing.alerts.granted is 'what percent is of: the balance after the last credit, with what had been used of grants that last';
comment on column billing.alerts.quiet_above is 'the state stays while the available balance is above this, and below quiet_below';
comment on column billing.alerts.crossed_balance is 'the available balance at the last crossing, which transaction_id caused';
create index alerts_of_wallet on billing.alerts (wallet_id, alert_id);

-- A change of an alert by a crossing, to be recorded.
create type billing.alert_crossing as (type text, alert_id uuid, wallet_id uuid, user_id text, before jsonb, after jsonb, caller jsonb);
alter type wallet.room_state
  add attribute alert_wallets uuid[],
  add attribute alert_floors numeric[],           -- in the order of alert_wallets: while the available balance is above this,
  add attribute alert_ceilings numeric[],         -- and below this, no alert of the wallet changes
  add attribute alert_percents boolean[],         -- whether one of them is a percentage
  add attribute alerts_held billing.alerts[],     -- those of wallets where one has changed in this call
  add attribute alert_crossings billing.alert_crossing[];
