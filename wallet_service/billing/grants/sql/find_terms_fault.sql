-- What is wrong with the terms of a grant or of a schedule, as member and message; null if nothing is. p_terms has no nulls. How the
-- members belong together is checked where the grant is known.
create or replace function billing.find_terms_fault(p_terms jsonb, p_members text[]) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_stranger constant text := (select k from jsonb_object_keys(p_terms) k where k <> all (p_members) limit 1);
begin
  return case
    when v_stranger is not null then array['/' || left(v_stranger, 100), 'is none of: ' || array_to_string(p_members, ', ')]
    when coalesce(p_terms ->> 'source', '') not in ('purchase', 'promotion', 'plan', 'refund', 'adjustment')
      then array['/source', 'must be purchase, promotion, plan, refund or adjustment']
    when not billing.is_whole(p_terms -> 'priority', 0, 1000) then array['/priority', 'must be a whole number from 0 to 1000']
    when not billing.is_moment(p_terms -> 'effective_at') then array['/effective_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when not billing.is_moment(p_terms -> 'expires_at') then array['/expires_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when not billing.is_whole(p_terms -> 'expires_in_s', 1, 315360000)
      then array['/expires_in_s', 'must be a whole number of seconds from 1 to 315360000 (ten years)']
    when p_terms ? 'expires_at' and p_terms ? 'expires_in_s' then array['/expires_in_s', 'stands in place of expires_at: only one of them']
    when not billing.is_whole(p_terms -> 'notice_s', 0, 315360000)
      then array['/notice_s', 'must be a whole number of seconds from 0 to 315360000 (ten years)']
    when not billing.is_whole(p_terms -> 'refund_grace_s', 0, 315360000)
      then array['/refund_grace_s', 'must be a whole number of seconds from 0 to 315360000 (ten years)']
    when not billing.are_accounts(p_terms -> 'pays') then array['/pays', 'must be 1 to 20 counter accounts']
    when jsonb_typeof(p_terms -> 'is_transferable') <> 'boolean' then array['/is_transferable', 'must be true or false']
    when p_terms ? 'unit_cost' and coalesce(scale(wallet.read_amount(p_terms ->> 'unit_cost')), 19) > 18
      then array['/unit_cost', 'must be a decimal number above 0, with at most 20 digits before the point and 18 after it']
    when p_terms ? 'unit_cost' <> p_terms ? 'cost_currency' then array['/cost_currency', 'unit_cost and cost_currency belong together']
    when p_terms ? 'cost_currency' and not exists (select from wallet.currencies c where c.code = p_terms ->> 'cost_currency')
      then array['/cost_currency', 'must be a currency that the service has']
  end;
end $$;

-- Whether a member is absent, or a whole number in a range.
create or replace function billing.is_whole(p_value jsonb, p_least numeric, p_most numeric) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_value is null then true when jsonb_typeof(p_value) <> 'number' then false
    else p_value::numeric between p_least and p_most and p_value::numeric = trunc(p_value::numeric) end;
end $$;

-- Whether a member is absent, or a moment.
create or replace function billing.is_moment(p_value jsonb) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return p_value is null or jsonb_typeof(p_value) = 'string' and wallet.read_time(p_value #>> '{}') is not null;
end $$;

-- Whether a member is absent, or an array of 1 to 20 counter accounts.
create or replace function billing.are_accounts(p_value jsonb) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_value is null then true when jsonb_typeof(p_value) <> 'array' then false
    else jsonb_array_length(p_value) between 1 and 20 and not exists (select from jsonb_array_elements(p_value) e
      where jsonb_typeof(e) <> 'string' or wallet.is_counter_account(e #>> '{}') is not true) end;
end $$;

-- The array of a member pays; null where it is absent.
create or replace function billing.read_accounts(p_value jsonb) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_value is not null
    then array(select e.account from jsonb_array_elements_text(p_value) with ordinality e (account, place) order by e.place) end;
end $$;

-- Terms without their nulls, with the defaults of the service where they say nothing.
create or replace function billing.merge_defaults(p_terms jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_terms constant jsonb := billing.strip_nulls(p_terms);
begin
  return case when jsonb_typeof(v_terms -> 'defaults') = 'object' then (v_terms -> 'defaults') || (v_terms - 'defaults') else v_terms end;
end $$;

-- An object without its members that are null; what is in its members stays.
create or replace function billing.strip_nulls(p_object jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(jsonb_object_agg(m.key, m.value), '{}') from jsonb_each(p_object) m where m.value <> 'null');
end $$;
