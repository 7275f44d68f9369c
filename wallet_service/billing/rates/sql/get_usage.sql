-- An event that was accepted, with its rating. p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.get_usage(p_usage_id uuid, p_viewer text default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_event billing.usage_events;
begin
  select * into v_event from billing.usage_events u where u.usage_id = p_usage_id;
  if v_event.usage_id is null or v_event.user_id <> p_viewer then
    perform wallet.refuse_call('usage_not_found', jsonb_build_object('usage_id', p_usage_id));
  end if;
  return v_event.document;
end $$;

-- A page of the events of a wallet, newest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_usage_events(p_wallet_id uuid, p_viewer text default null, p_meter text default null,
  p_after uuid default null, p_limit integer default 50) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform billing.require_usage_wallet(p_wallet_id, p_viewer);
  return (select '[' || coalesce(string_agg(f.document, ',' order by f.usage_id desc), '') || ']' || E'\n'
      || coalesce(case when count(*) = p_limit then (array_agg(f.usage_id order by f.usage_id))[1]::text end, '')
    from (select u.* from billing.usage_events u where u.wallet_id = p_wallet_id and (p_after is null or u.usage_id < p_after)
      and (p_meter is null or u.meter = p_meter) order by u.usage_id desc limit p_limit) f);
end $$;

-- The currency of a wallet whose usage is read; refuses the call where there is no such wallet, or it is not the viewer's.
create or replace function billing.require_usage_wallet(p_wallet_id uuid, p_viewer text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets;
begin
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.wallet_id is null or v_wallet.user_id <> p_viewer then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  return v_wallet.currency;
end $$;

-- What a wallet used in the days from p_from (null: the first one of the month of p_to) to p_to (null: today, in UTC), grouped by
-- p_group_by: meter, day, month, or names of dimensions; in the order of the groups. {wallet_id, currency, from, to, group_by, items}, and on a line of its own the group after which the next page begins.
create or replace function wallet_api.read_usage_totals(p_wallet_id uuid, p_from text, p_to text, p_group_by jsonb,
  p_viewer text default null, p_meter text default null, p_after jsonb default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_currency constant text := billing.require_usage_wallet(p_wallet_id, p_viewer);
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = v_currency);
  v_to constant date := coalesce(p_to::date, (wallet.clock() at time zone 'UTC')::date);
  v_from constant date := coalesce(p_from::date, date_trunc('month', v_to)::date);
  v_names constant text[] := array(select x.name from jsonb_array_elements_text(p_group_by) with ordinality as x (name, place) order by x.place);
  v_after constant text[] := array(select x.name from jsonb_array_elements_text(p_after) with ordinality as x (name, place) order by x.place);
begin
  if v_from > v_to then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/from', 'must not be after to', 'query'));
  end if;
  return (with grouped as (
    select billing.list_group(v_names, d) as key, case when count(distinct d.meter) = 1 then sum(d.quantity) end as quantity,
        sum(d.amount) as amount, sum(d.events) as events
      from billing.usage_days d
      where d.wallet_id = p_wallet_id and d.day between v_from and v_to and (p_meter is null or d.meter = p_meter)
      group by 1
  ), page as (
    select g.* from grouped g where p_after is null or g.key collate "C" > v_after collate "C" order by g.key collate "C" limit p_limit
  )
  select json_build_object('wallet_id', p_wallet_id, 'currency', v_currency, 'from', v_from, 'to', v_to,
      'group_by', p_group_by, 'items', coalesce(json_agg(json_build_object(
        'group', (select coalesce(json_object_agg(n.name, nullif(p.key[n.place], '') order by n.place), '{}') from unnest(v_names) with ordinality n (name, place)),
        'quantity', trim_scale(p.quantity)::text, 'amount', wallet.format_amount(p.amount, v_exponent), 'events', p.events)
        order by p.key collate "C"), '[]'))::text
    || E'\n' || coalesce(case when count(*) = p_limit then (array_agg(to_json(p.key) order by p.key collate "C" desc))[1]::text end, '')
  from page p);
end $$;

-- The group of a day's total: its values by these names, in their order; '' where it has none.
create or replace function billing.list_group(p_names text[], p_day billing.usage_days) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_key text[] := '{}';
begin
  for i in 1 .. cardinality(p_names) loop
    v_key := v_key || case p_names[i] when 'meter' then p_day.meter when 'day' then p_day.day::text
      when 'month' then to_char(p_day.day, 'YYYY-MM') else coalesce(p_day.dimensions ->> p_names[i], '') end;
  end loop;
  return v_key;
end $$;
