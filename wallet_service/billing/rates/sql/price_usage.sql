-- What a quantity costs, beyond what the wallet has used of this price in the month. p_before: so much, by every version; p_counter:
-- by this version. Pure arithmetic in numeric; nothing is rounded here.
create or replace function billing.price_usage(p_price jsonb, p_quantity numeric, p_before numeric, p_counter billing.usage_counter,
  p_volume_pricing text) returns billing.usage_price
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  c_included constant numeric := (p_price ->> 'included')::numeric;
  -- What is beyond the included quantity, before and after.
  v_from constant numeric := greatest(p_before - c_included, 0);
  v_to constant numeric := greatest(p_before + p_quantity - c_included, 0);
  v_result billing.usage_price;
begin
  v_result.billed := v_to - v_from;
  v_result.included := p_quantity - v_result.billed;
  v_result.priced := 0;
  v_result.exact := 0;
  v_result.lines := '[]';
  case p_price ->> 'model'
    when 'per_unit' then
      v_result.unit_price := (p_price ->> 'unit_price')::numeric;
      if v_to > v_from then
        v_result := billing.add_line(v_result, null, v_to - v_from, v_result.unit_price, 0);
      end if;
    when 'package' then
      v_result := billing.price_packages(v_result, p_price, v_from, v_to);
    when 'graduated' then
      v_result := billing.price_graduated(v_result, p_price -> 'tiers', v_from, v_to);
    when 'volume' then
      v_result := billing.price_volume(v_result, p_price -> 'tiers', v_from, v_to, p_counter, p_volume_pricing);
  end case;
  return v_result;
end $$;

-- A price with one line more: a quantity at a unit price, and an amount that does not depend on it.
create or replace function billing.add_line(p_result billing.usage_price, p_up_to numeric, p_quantity numeric, p_unit_price numeric,
  p_flat numeric) returns billing.usage_price
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_amount constant numeric := p_quantity * p_unit_price + p_flat;
begin
  p_result.exact := p_result.exact + v_amount;
  p_result.lines := p_result.lines || jsonb_strip_nulls(jsonb_build_object('kind', 'units', 'up_to', trim_scale(p_up_to)::text,
    'quantity', trim_scale(p_quantity)::text, 'unit_price', trim_scale(p_unit_price)::text,
    'flat_amount', trim_scale(p_flat)::text, 'amount', trim_scale(v_amount)::text));
  return p_result;
end $$;

-- Packages that were begun after p_from, up to p_to.
create or replace function billing.price_packages(p_result billing.usage_price, p_price jsonb, p_from numeric, p_to numeric)
returns billing.usage_price
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_size constant numeric := (p_price ->> 'package_size')::numeric;
  v_price constant numeric := (p_price ->> 'package_price')::numeric;
  v_packages constant numeric := billing.count_packages(p_to, v_size) - billing.count_packages(p_from, v_size);
begin
  if v_packages > 0 then
    p_result.exact := v_packages * v_price;
    p_result.lines := jsonb_build_array(jsonb_build_object('kind', 'packages', 'packages', v_packages::text,
      'package_size', trim_scale(v_size)::text, 'package_price', trim_scale(v_price)::text,
      'amount', trim_scale(p_result.exact)::text));
  end if;
  return p_result;
end $$;

-- How many packages a quantity needs. Whole numbers: a quotient would be rounded.
create or replace function billing.count_packages(p_quantity numeric, p_size numeric) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return div(p_quantity, p_size) + case when mod(p_quantity, p_size) > 0 then 1 else 0 end;
end $$;

-- Graduated tiers: each part of the quantity has the price of its tier. The flat amount of a tier is due when it is entered.
create or replace function billing.price_graduated(p_result billing.usage_price, p_tiers jsonb, p_from numeric, p_to numeric)
returns billing.usage_price
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_tier jsonb;
  v_begin numeric := 0;      -- of the tier: what it has is above
  v_up_to numeric;
  v_part numeric;
begin
  for i in 0 .. jsonb_array_length(p_tiers) - 1 loop
    exit when v_begin >= p_to;
    v_tier := p_tiers -> i;
    v_up_to := (v_tier ->> 'up_to')::numeric;
    v_part := least(p_to, coalesce(v_up_to, p_to)) - greatest(p_from, v_begin);
    if v_part > 0 then
      p_result.unit_price := case when p_result.lines = '[]' then (v_tier ->> 'unit_price')::numeric end;
      p_result := billing.add_line(p_result, v_up_to, v_part, (v_tier ->> 'unit_price')::numeric,
        case when p_from <= v_begin then (v_tier ->> 'flat_amount')::numeric else 0 end);
    end if;
    v_begin := v_up_to;
  end loop;
  return p_result;
end $$;

-- Volume tiers: the whole quantity has the price of the tier that the month has reached with it. With reached, that is so for this event;
-- with difference, also for what this version priced before in the month, and the difference is due now.
create or replace function billing.price_volume(p_result billing.usage_price, p_tiers jsonb, p_from numeric, p_to numeric,
  p_counter billing.usage_counter, p_volume_pricing text) returns billing.usage_price
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_before constant jsonb := billing.find_tier(p_tiers, p_from);
  v_tier constant jsonb := billing.find_tier(p_tiers, p_to);
  v_unit constant numeric := (v_tier ->> 'unit_price')::numeric;
  v_flat numeric := 0;
  v_again numeric;    -- what was priced before, at the new price
begin
  p_result.priced := p_counter.priced;
  if v_tier is null or p_to = p_from then
    return p_result;
  end if;
  if v_before is distinct from v_tier then
    v_flat := (v_tier ->> 'flat_amount')::numeric;
  end if;
  p_result.unit_price := v_unit;
  p_result.priced := p_counter.priced + (p_to - p_from) * v_unit;
  p_result := billing.add_line(p_result, (v_tier ->> 'up_to')::numeric, p_to - p_from, v_unit, v_flat);
  if p_volume_pricing = 'difference' then
    v_again := p_counter.billed * v_unit - p_counter.priced
      - case when v_before is distinct from v_tier then coalesce((v_before ->> 'flat_amount')::numeric, 0) else 0 end;
    if v_again <> 0 then
      p_result.exact := p_result.exact + v_again;
      p_result.lines := p_result.lines || jsonb_build_object('kind', 'difference', 'quantity', trim_scale(p_counter.billed)::text,
        'unit_price', trim_scale(v_unit)::text, 'amount', trim_scale(v_again)::text);
    end if;
    p_result.priced := (p_counter.billed + p_to - p_from) * v_unit;
  end if;
  return p_result;
end $$;

-- The tier of a quantity: the first one that has it; null for 0.
create or replace function billing.find_tier(p_tiers jsonb, p_quantity numeric) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_tier jsonb;
begin
  if p_quantity > 0 then
    for i in 0 .. jsonb_array_length(p_tiers) - 1 loop
      v_tier := p_tiers -> i;
      exit when coalesce(p_quantity <= (v_tier ->> 'up_to')::numeric, true);
    end loop;
  end if;
  return v_tier;
end $$;
