-- Compares events of usage with the ledger and with their rate cards: those of p_limit ids after p_after. {checked, next, faults}. The
-- amount of a volume price that posts differences depends on what was priced before, so only its rounding is checked.
create or replace function wallet_api.verify_usage(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select u.event, (u.event).usage_id, (u.event).wallet_id, (u.event).amount, (u.event).is_posted, (u.event).document::jsonb as document,
        c.exponent, t.amount as posted, t.direction, t.wallet_id as of_wallet
    from (select e as event from billing.usage_events e where p_after is null or e.usage_id > p_after
        order by e.usage_id limit least(p_limit, 10000)) u
      join billing.rate_cards r on r.rate_card_id = (u.event).rate_card_id
      join wallet.currencies c on c.code = r.currency
      left join wallet.wallet_transactions t on t.transaction_id = (u.event).usage_id and t.leg = 0
  ), faults as (
    select p.usage_id, p.wallet_id, f.name from page p, lateral (values
      ('usage posted', p.is_posted = (p.posted is not null) and (not p.is_posted
        or p.of_wallet = p.wallet_id and p.posted = abs(p.amount) and p.direction = case when p.amount > 0 then 'debit' else 'credit' end)),
      ('usage rated', p.amount = round((p.document -> 'rating' ->> 'exact_amount')::numeric, p.exponent)
        and p.amount = (p.document ->> 'amount')::numeric and billing.is_rated(p.event, p.document -> 'rating'))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.usage_id) from page p order by p.usage_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id, 'transaction_id', f.usage_id)), '[]')
      from faults f))::text);
end $$;

-- Whether the rating of an event follows from the version of its rate card.
create or replace function billing.is_rated(p_event billing.usage_events, p_rating jsonb) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_prices constant jsonb := (select v.prices from billing.rate_versions v
    where v.rate_card_id = p_event.rate_card_id and v.version = p_event.rate_version and v.effective_at <= p_event.used_at);
  v_price constant jsonb := billing.find_price(v_prices, p_event.dimensions);
  v_pricing constant text := (select c.volume_pricing from billing.rate_cards c where c.rate_card_id = p_event.rate_card_id);
begin
  return v_price -> 'dimensions' = p_event.price_dimensions
    and (v_price ->> 'model' = 'volume' and v_pricing = 'difference' or (p_rating ->> 'exact_amount')::numeric
      = (billing.price_usage(v_price, p_event.quantity, (p_rating ->> 'quantity_before')::numeric,
          row(null, null, null, null, null, 0, 0, 0, false)::billing.usage_counter, 'reached')).exact);
end $$;

-- Compares the totals of days with their events: p_limit days after p_after, a wallet_id and a day. {checked, next, faults}.
create or replace function wallet_api.verify_usage_days(p_after text default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select distinct d.wallet_id, d.day from billing.usage_days d
    where p_after is null or (d.wallet_id, d.day) > (left(p_after, 36)::uuid, substr(p_after, 38)::date)
    order by d.wallet_id, d.day limit least(p_limit, 1000)
  ), totals as (
    select p.wallet_id, d.meter, d.dimensions, d.quantity, d.amount, d.events, p.day from page p
      join billing.usage_days d on d.wallet_id = p.wallet_id and d.day = p.day
  ), sums as (
    select p.wallet_id, e.meter, e.dimensions, sum(e.quantity) as quantity, sum(e.amount) as amount, count(*) as events, p.day from page p
      join billing.usage_events e on e.wallet_id = p.wallet_id and e.day = p.day group by p.wallet_id, p.day, e.meter, e.dimensions
  ), faults as (
    select distinct coalesce(t.wallet_id, s.wallet_id) as wallet_id from totals t
      full join sums s using (wallet_id, day, meter, dimensions)
      where (t.quantity, t.amount, t.events) is distinct from (s.quantity, s.amount, s.events)
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id || ' ' || p.day) from page p order by p.wallet_id desc, p.day desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'usage days', 'wallet_id', f.wallet_id)), '[]') from faults f))::text);
end $$;

-- Compares the counters of tiers with their events: those of p_limit wallets after p_after. {checked, next, faults}.
create or replace function wallet_api.verify_usage_counters(p_after uuid default null, p_limit integer default 20) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select distinct c.wallet_id from billing.usage_counters c where p_after is null or c.wallet_id > p_after
    order by 1 limit least(p_limit, 1000)
  ), counters as (
    select c.* from page p join billing.usage_counters c on c.wallet_id = p.wallet_id
  ), sums as (
    select e.wallet_id, e.rate_card_id, date_trunc('month', e.day)::date as month, e.price_dimensions, e.rate_version,
        sum(e.quantity) as quantity, sum(e.quantity - (e.document::jsonb -> 'rating' ->> 'included')::numeric) as billed
      from page p join billing.usage_events e on e.wallet_id = p.wallet_id group by 1, 2, 3, 4, 5
  ), faults as (
    select distinct coalesce(c.wallet_id, s.wallet_id) as wallet_id from counters c
      full join sums s using (wallet_id, rate_card_id, month, price_dimensions, rate_version)
      where (c.quantity, c.billed) is distinct from (s.quantity, s.billed)
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'usage counters', 'wallet_id', f.wallet_id)), '[]') from faults f))::text);
end $$;
