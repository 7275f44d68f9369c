-- Rated usage: what is measured (meters), what it costs (rate cards with versions), and what was reported, with its rating.

create table billing.meters (
  meter text collate "C" primary key check (meter ~ '^[a-z][a-z0-9._-]{0,63}$'),
  description text,
  unit text,
  dimensions text[] collate "C" not null,
  counter_account text collate "C" not null,
  max_age_s bigint not null check (max_age_s between 0 and 31622400),
  created_at timestamptz not null
);
comment on column billing.meters.dimensions is 'the names that an event may have in its dimensions';
comment on column billing.meters.max_age_s is 'an event that is older is refused';

create table billing.rate_cards (
  rate_card_id uuid primary key,
  meter text collate "C" not null references billing.meters (meter),
  currency text collate "C" not null references wallet.currencies (code),
  description text,
  counter_account text collate "C" not null,
  time_zone text not null,
  volume_pricing text not null check (volume_pricing in ('reached', 'difference')),
  version integer not null check (version between 1 and 100),
  starts_at timestamptz not null,
  ends_at timestamptz not null default 'infinity',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (ends_at >= starts_at)
);
comment on column billing.rate_cards.time_zone is 'of the months in which tiers count, and of the days of usage';
comment on column billing.rate_cards.volume_pricing is 'what a volume price does where a month reaches another tier: reached: it prices by the tier from there on; difference: it posts the difference for what was priced before';
comment on column billing.rate_cards.version is 'the newest one';
create index rate_cards_of_meter on billing.rate_cards (meter, currency, starts_at);

create table billing.rate_versions (
  rate_card_id uuid not null references billing.rate_cards (rate_card_id),
  version integer not null check (version >= 1),
  effective_at timestamptz not null,
  prices jsonb not null,
  created_at timestamptz not null,
  primary key (rate_card_id, version)
);
comment on column billing.rate_versions.effective_at is 'events from then on, up to the next version, have these prices';
create unique index rate_versions_in_order on billing.rate_versions (rate_card_id, effective_at);

-- An event that was accepted, with its rating. Never changed.
create table billing.usage_events (
  usage_id uuid primary key,
  wallet_id uuid not null,
  user_id text collate "C" not null,
  client_id text collate "C" not null,
  source text not null,
  event_id text not null,
  meter text collate "C" not null,
  quantity numeric(38, 18) not null check (quantity >= 0),
  dimensions jsonb not null,
  used_at timestamptz not null,
  day date not null,
  rate_card_id uuid not null,
  rate_version integer not null,
  price_dimensions jsonb not null,
  amount numeric(38, 18) not null,
  is_posted boolean not null,
  document text not null,
  created_at timestamptz not null,
  check (is_posted = (amount <> 0))
);
comment on column billing.usage_events.usage_id is 'also the transaction_id of its posting, where it has one';
comment on column billing.usage_events.used_at is 'when it was used, by the event';
comment on column billing.usage_events.day is 'of used_at in the time zone of the rate card';
comment on column billing.usage_events.price_dimensions is 'of the price of the rate card that the event has';
comment on column billing.usage_events.amount is 'debited; below 0: credited';
comment on column billing.usage_events.document is 'as it was answered, JSON';
create index usage_events_of_wallet on billing.usage_events (wallet_id, usage_id);
create index usage_events_of_day on billing.usage_events (wallet_id, day);

-- What a wallet has used in a month at one price of a version of a rate card: its tiers count from it.
create table billing.usage_counters (
  wallet_id uuid not null,
  rate_card_id uuid not null,
  price_dimensions jsonb not null,
  month date not null,
  rate_version integer not null,
  quantity numeric(38, 18) not null check (quantity >= 0),
  billed numeric(38, 18) not null check (billed >= 0),
  priced numeric not null,
  primary key (wallet_id, rate_card_id, month, price_dimensions, rate_version)
) with (fillfactor = 70);
comment on column billing.usage_counters.billed is 'of the quantity: beyond what is included';
comment on column billing.usage_counters.priced is 'of a volume price: what billed costs by the unit price that was last applied to it';

-- Totals by day, for readers.
create table billing.usage_days (
  wallet_id uuid not null,
  day date not null,
  meter text collate "C" not null,
  dimensions jsonb not null,
  quantity numeric not null,
  amount numeric not null,
  events bigint not null check (events > 0),
  primary key (wallet_id, day, meter, dimensions)
) with (fillfactor = 70);

-- In memory, while a call decides: a row of usage_counters.
create type billing.usage_counter as (
  wallet_id uuid,
  rate_card_id uuid,
  price_dimensions jsonb,
  month date,
  rate_version integer,
  quantity numeric,
  billed numeric,
  priced numeric,
  changed boolean
);
alter type wallet.room_state add attribute usage_counters billing.usage_counter[];
-- What an event costs.
create type billing.usage_price as (
  exact numeric,                  -- not rounded
  unit_price numeric,             -- null: there is not one
  included numeric,               -- of the quantity
  billed numeric,
  priced numeric,                 -- the new one of the counter
  lines jsonb
);
