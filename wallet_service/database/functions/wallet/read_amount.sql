-- A caller's amount: ASCII digits with at most one point, positive, at most 20 digits before the point.
-- Null for anything else: NaN, infinity, exponents, signs, other alphabets' digits.
create or replace function wallet.read_amount(p_text text) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_text !~ '^[0-9]{1,38}(\.[0-9]{1,38})?$' then
    return null;
  end if;
  if p_text::numeric <= 0 or p_text::numeric >= 1e20 then
    return null;
  end if;
  return pg_catalog.trim_scale(p_text::numeric);
end $$;
