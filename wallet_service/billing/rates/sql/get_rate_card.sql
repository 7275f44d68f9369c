-- A rate card with the prices of its newest version.
create or replace function wallet_api.get_rate_card(p_rate_card_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_card billing.rate_cards;
begin
  select * into v_card from billing.rate_cards c where c.rate_card_id = p_rate_card_id;
  if v_card.rate_card_id is null then
    perform wallet.refuse_call('rate_card_not_found', jsonb_build_object('rate_card_id', p_rate_card_id));
  end if;
  return billing.format_rate_card(v_card, true);
end $$;

-- A version of a rate card with its prices.
create or replace function wallet_api.get_rate_version(p_rate_card_id uuid, p_version integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_found json;
begin
  select billing.format_rate_version(v, c) into v_found from billing.rate_cards c
    join billing.rate_versions v on v.rate_card_id = c.rate_card_id
    where c.rate_card_id = p_rate_card_id and v.version = p_version;
  if v_found is null then
    perform wallet.refuse_call('rate_card_not_found', jsonb_build_object('rate_card_id', p_rate_card_id, 'version', p_version));
  end if;
  return v_found::text;
end $$;

-- A page of the rate cards, newest first, without prices: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_rate_cards(p_meter text default null, p_currency text default null, p_after uuid default null,
  p_limit integer default 50) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select '[' || coalesce(string_agg(billing.format_rate_card(f, false), ',' order by f.rate_card_id desc), '') || ']' || E'\n'
    || coalesce(case when count(*) = p_limit then (array_agg(f.rate_card_id order by f.rate_card_id))[1]::text end, '')
  from (select c.* from billing.rate_cards c where (p_after is null or c.rate_card_id < p_after)
    and (p_meter is null or c.meter = p_meter) and (p_currency is null or c.currency = p_currency)
    order by c.rate_card_id desc limit p_limit) f
$$;

-- A rate card as its readers see it.
create or replace function billing.format_rate_card(p_card billing.rate_cards, p_prices boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
begin
  return (select row_to_json(v)::text from (select
    p_card.rate_card_id as rate_card_id, p_card.meter as meter, p_card.currency as currency, p_card.description as description,
    p_card.counter_account as counter_account, p_card.time_zone as time_zone, p_card.volume_pricing as volume_pricing,
    case when v_now >= p_card.ends_at then 'ended' when v_now < p_card.starts_at then 'scheduled' else 'active' end as state,
    p_card.version as version, wallet.format_time(p_card.starts_at) as starts_at,
    case when p_card.ends_at < 'infinity' then wallet.format_time(p_card.ends_at) end as ends_at,
    (select json_agg(billing.format_rate_version(r, p_card, false) order by r.version)
      from billing.rate_versions r where r.rate_card_id = p_card.rate_card_id) as versions,
    case when p_prices then (select r.prices from billing.rate_versions r
      where r.rate_card_id = p_card.rate_card_id and r.version = p_card.version) end as prices,
    wallet.format_time(p_card.created_at) as created_at, wallet.format_time(p_card.updated_at) as updated_at) v);
end $$;

-- A version of a rate card as its readers see it.
create or replace function billing.format_rate_version(p_version billing.rate_versions, p_card billing.rate_cards,
  p_prices boolean default true) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_until constant timestamptz := least(p_card.ends_at, (select min(v.effective_at) from billing.rate_versions v
    where v.rate_card_id = p_version.rate_card_id and v.effective_at > p_version.effective_at));
  v_ends_at constant text := case when v_until < 'infinity' then wallet.format_time(v_until) end;
begin
  if p_prices then
    return json_build_object('rate_card_id', p_version.rate_card_id, 'version', p_version.version,
      'effective_at', wallet.format_time(p_version.effective_at), 'ends_at', v_ends_at, 'prices', p_version.prices,
      'created_at', wallet.format_time(p_version.created_at));
  end if;
  return json_build_object('version', p_version.version, 'effective_at', wallet.format_time(p_version.effective_at),
    'ends_at', v_ends_at, 'created_at', wallet.format_time(p_version.created_at));
end $$;
