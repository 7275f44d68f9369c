-- In memory, while a call rates usage: counters are found by their keys, and what prices an event is read at once.

alter type wallet.room_state add attribute usage_keys text[];    -- of usage_counters, in its order (billing.name_counter)
-- A meter, and of its rate card that is in force, what prices an event. Without a rate card, only the meter is there.
create type billing.usage_rate as (
  dimensions text[],              -- null: there is no such meter
  max_age_s bigint,
  rate_card_id uuid,
  counter_account text,
  time_zone text,
  volume_pricing text,
  version integer,                -- that of the event's moment
  prices jsonb
);
-- The document of an event, in the order of its members.
create type billing.shown_rating as (
  rate_card_id uuid,
  version integer,
  model text,
  dimensions jsonb,
  day text,
  month text,
  quantity_before text,
  included text,
  unit_price text,
  exact_amount text,
  lines jsonb
);
create type billing.shown_usage as (
  usage_id uuid,
  wallet_id uuid,
  user_id text,
  meter text,
  quantity text,
  dimensions jsonb,
  timestamp text,
  source text,
  event_id text,
  currency text,
  amount text,
  transaction_id uuid,
  counter_account text,
  rating billing.shown_rating,
  dry_run boolean,
  created_at text
);
