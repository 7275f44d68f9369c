-- A meter by its name.
create or replace function wallet_api.get_meter(p_meter text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_meter billing.meters;
begin
  select * into v_meter from billing.meters m where m.meter = p_meter;
  if v_meter.meter is null then
    perform wallet.refuse_call('meter_not_found', jsonb_build_object('meter', p_meter));
  end if;
  return billing.format_meter(v_meter);
end $$;

-- A page of the meters by name: a JSON array, and on a line of its own the name after which the next page begins.
create or replace function wallet_api.list_meters(p_after text default null, p_limit integer default 50) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select '[' || coalesce(string_agg(billing.format_meter(f), ',' order by f.meter), '') || ']' || E'\n'
    || coalesce(case when count(*) = p_limit then max(f.meter) end, '')
  from (select m.* from billing.meters m where p_after is null or m.meter > p_after order by m.meter limit p_limit) f
$$;

-- A meter as its readers see it.
create or replace function billing.format_meter(p_meter billing.meters) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_meter.meter as meter, p_meter.description as description, p_meter.unit as unit,
    p_meter.dimensions as dimensions, p_meter.counter_account as counter_account, p_meter.max_age_s as max_age_s,
    wallet.format_time(p_meter.created_at) as created_at) v);
end $$;
