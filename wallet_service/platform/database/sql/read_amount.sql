-- An amount as the caller wrote it: ASCII digits with at most one point, positive, at most 20 digits before the point.
-- Null for anything else: NaN, infinity, exponents, signs, digits of other alphabets.
create or replace function wallet.read_amount(p_text text) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_amount numeric;
begin
  if p_text collate "C" !~ '^[0-9]+(\.[0-9]+)?$'
      or length(p_text) > 38 and (length(split_part(p_text, '.', 1)) > 38 or length(split_part(p_text, '.', 2)) > 38) then
    return null;
  end if;
  v_amount := trim_scale(p_text::numeric);
  return case when v_amount > 0 and v_amount < 1e20 then v_amount end;
end $$;

-- A balance as the caller wrote it: an amount, zero, or one with a minus sign. Null for anything else.
create or replace function wallet.read_balance(p_text text) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_text collate "C" ~ '^0+(\.0+)?$' and length(p_text) <= 77 then
    return 0;
  end if;
  return case left(p_text, 1) when '-' then -wallet.read_amount(substr(p_text, 2)) else wallet.read_amount(p_text) end;
end $$;

-- An amount as it leaves the database: exactly the digits of its currency. Never rounds: no amount with more digits gets in.
create or replace function wallet.format_amount(p_amount numeric, p_exponent integer) returns text
language sql immutable as $$
  select pg_catalog.round(p_amount, p_exponent)::text
$$;
