-- Prices as a caller wrote them, in one form; refuses the call where one is not a price of the meter.
create or replace function billing.read_prices(p_prices jsonb, p_meter billing.meters) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most constant integer := 100;
  v_prices jsonb := '[]';
  v_price jsonb;
  v_fault text[];
begin
  if jsonb_typeof(p_prices) is distinct from 'array' or jsonb_array_length(p_prices) not between 1 and c_most then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/prices', format('must be 1 to %s prices', c_most)));
  end if;
  for i in 0 .. jsonb_array_length(p_prices) - 1 loop
    v_price := jsonb_strip_nulls(p_prices -> i);
    v_price := jsonb_build_object('dimensions', coalesce(v_price -> 'dimensions', '{}'), 'included', coalesce(v_price -> 'included', '"0"'))
      || v_price;
    v_fault := billing.find_price_fault(v_price, v_prices, p_meter);
    if v_fault is not null then
      perform wallet.refuse_call('validation_failed', wallet.build_fault(format('/prices/%s%s', i, v_fault[1]), v_fault[2]));
    end if;
    v_prices := v_prices || billing.normalize_price(v_price);
  end loop;
  return v_prices;
end $$;

-- What is wrong with a price, as member and message; null if nothing is. p_before: the prices before it.
create or replace function billing.find_price_fault(p_price jsonb, p_before jsonb, p_meter billing.meters) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_model constant text := p_price ->> 'model';
  v_members constant text[] := '{dimensions,included,model}'::text[] || case v_model when 'per_unit' then '{unit_price}'::text[]
    when 'package' then '{package_size,package_price}'::text[] else '{tiers}'::text[] end;
begin
  return case
    when coalesce(v_model, '') not in ('per_unit', 'package', 'graduated', 'volume')
      then array['/model', 'must be per_unit, package, graduated or volume']
    when exists (select from jsonb_object_keys(p_price) k where k <> all (v_members))
      then array['/' || (select k from jsonb_object_keys(p_price) k where k <> all (v_members) order by k limit 1),
        'a price of the model ' || v_model || ' has no such member']
    when not billing.are_dimensions(p_price -> 'dimensions')
      then array['/dimensions', 'must be an object of at most 10 texts of 1 to 100 characters, of at most 1024 bytes together']
    when exists (select from jsonb_object_keys(p_price -> 'dimensions') k where k <> all (p_meter.dimensions))
      then array['/dimensions', 'the meter has no such dimension; it has: '
        || coalesce(nullif(array_to_string(p_meter.dimensions, ', '), ''), 'none')]
    when exists (select from jsonb_array_elements(p_before) b where (p_price -> 'dimensions') @> (b -> 'dimensions'))
      then array['/dimensions', 'no event can have this price: one before it has the same dimensions, or fewer of them']
    when billing.read_quantity(p_price ->> 'included') is null then array['/included', 'must be a decimal number, 0 or more']
    when v_model = 'per_unit' and billing.read_quantity(p_price ->> 'unit_price') is null
      then array['/unit_price', 'must be a decimal number, 0 or more, of at most 18 decimals']
    when v_model = 'package' and coalesce(billing.read_quantity(p_price ->> 'package_size'), 0) = 0
      then array['/package_size', 'must be a decimal number above 0']
    when v_model = 'package' and billing.read_quantity(p_price ->> 'package_price') is null
      then array['/package_price', 'must be a decimal number, 0 or more, of at most 18 decimals']
    when v_model in ('graduated', 'volume') then billing.find_tiers_fault(p_price -> 'tiers')
  end;
end $$;

-- What is wrong with tiers, as member and message; null if nothing is.
create or replace function billing.find_tiers_fault(p_tiers jsonb) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most constant integer := 20;
  v_last integer;
  v_tier jsonb;
  v_before numeric := 0;
  v_fault text[];
begin
  if jsonb_typeof(p_tiers) is distinct from 'array' or jsonb_array_length(p_tiers) not between 1 and c_most then
    return array['/tiers', format('must be 1 to %s tiers', c_most)];
  end if;
  v_last := jsonb_array_length(p_tiers) - 1;
  for i in 0 .. v_last loop
    v_tier := p_tiers -> i;
    v_fault := case
      when jsonb_typeof(v_tier) <> 'object' or v_tier - '{up_to,unit_price,flat_amount}'::text[] <> '{}'
        then array['', 'a tier is an object with up_to, unit_price and flat_amount']
      when i = v_last and v_tier ->> 'up_to' is not null then array['/up_to', 'the last tier has no end: leave up_to out']
      when i < v_last and coalesce(billing.read_quantity(v_tier ->> 'up_to'), 0) <= v_before
        then array['/up_to', 'must be a decimal number above ' || v_before || ', where the tier begins']
      when billing.read_quantity(v_tier ->> 'unit_price') is null
        then array['/unit_price', 'must be a decimal number, 0 or more, of at most 18 decimals']
      when billing.read_quantity(coalesce(v_tier ->> 'flat_amount', '0')) is null
        then array['/flat_amount', 'must be a decimal number, 0 or more, of at most 18 decimals']
    end;
    if v_fault is not null then
      return array['/tiers/' || i || v_fault[1], v_fault[2]];
    end if;
    v_before := (v_tier ->> 'up_to')::numeric;
  end loop;
  return null;
end $$;

-- A price in the form in which it is stored: numbers as texts without zeros at their end, members with a default given.
create or replace function billing.normalize_price(p_price jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return (select jsonb_object_agg(m.key, case m.key
    when 'dimensions' then m.value
    when 'model' then m.value
    when 'tiers' then (select jsonb_agg(jsonb_build_object('up_to', trim_scale((t.value ->> 'up_to')::numeric)::text,
        'unit_price', trim_scale((t.value ->> 'unit_price')::numeric)::text,
        'flat_amount', trim_scale(coalesce(t.value ->> 'flat_amount', '0')::numeric)::text) order by t.ordinality)
      from jsonb_array_elements(m.value) with ordinality t)
    else to_jsonb(trim_scale((m.value #>> '{}')::numeric)::text) end) from jsonb_each(p_price) m);
end $$;
