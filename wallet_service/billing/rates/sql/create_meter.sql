-- Creates a meter, once for each key: {"status":"created"|"replayed","meter":{…}}. p_definition: meter, and optionally description, unit,
-- dimensions, counter_account; max_age_s.
create or replace function wallet_api.create_meter(p_request_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_definition jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_meter billing.meters;
  v_document text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_meter', p_request_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","meter":' || v_spent.response || '}';
  end if;
  v_meter := billing.read_meter(p_definition);
  insert into billing.meters select v_meter.* on conflict do nothing;
  if not found then
    perform wallet.refuse_call('meter_exists', jsonb_build_object('meter', v_meter.meter));
  end if;
  v_document := billing.format_meter(v_meter);
  perform platform.keep_response(p_client_id, p_key, v_document);
  perform platform.record_change(p_caller, 'meter.created', v_meter.meter, null, v_document::jsonb);
  return '{"status":"created","meter":' || v_document || '}';
end $$;

-- A meter as a caller wrote it; refuses the call where it is not one.
create or replace function billing.read_meter(p_definition jsonb) returns billing.meters
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  d alias for p_definition;
  v_dimensions constant text[] := array(select x.name from jsonb_array_elements_text(coalesce(d -> 'dimensions', '[]'))
    with ordinality as x (name, place) order by x.place);
  v_account constant text := coalesce(d ->> 'counter_account', 'revenue:usage:' || (d ->> 'meter'));
  v_fault text[] := case
    when coalesce(d ->> 'meter', '') collate "C" !~ '^[a-z][a-z0-9._-]{0,63}$'
      then array['/meter', 'must be 1 to 64 of a-z 0-9 . _ -, and begin with a letter']
    when length(d ->> 'description') > 1000 then array['/description', 'must be at most 1000 characters']
    when length(d ->> 'unit') not between 1 and 64 then array['/unit', 'must be 1 to 64 characters']
    when cardinality(v_dimensions) > 10 then array['/dimensions', 'must be at most 10 names']
    when exists (select from unnest(v_dimensions) n where n collate "C" !~ '^[a-zA-Z][a-zA-Z0-9._-]{0,39}$')
      then array['/dimensions', 'a name is 1 to 40 of a-z A-Z 0-9 . _ -, and begins with a letter']
    when v_dimensions && '{meter,day,month}'::text[] then array['/dimensions', 'meter, day and month are groups of usage already']
    when cardinality(v_dimensions) > (select count(distinct n) from unnest(v_dimensions) n)
      then array['/dimensions', 'has a name twice']
    when not billing.is_usage_account(v_account) then array['/counter_account', 'must be revenue: or expense: followed by 1 to 100 of '
      'A-Z a-z 0-9 . _ : -']
    when coalesce((d ->> 'max_age_s')::bigint, -1) not between 0 and 31622400
      then array['/max_age_s', 'must be 0 to 31622400 seconds (366 days)']
  end;
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  return row(d ->> 'meter', d ->> 'description', d ->> 'unit', v_dimensions, v_account, (d ->> 'max_age_s')::bigint,
    wallet.clock())::billing.meters;
end $$;

-- Whether usage may be posted against this account.
create or replace function billing.is_usage_account(p_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return wallet.is_counter_account(p_account) and left(p_account, 8) in ('revenue:', 'expense:');
end $$;
