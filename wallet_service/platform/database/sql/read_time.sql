-- An RFC 3339 timestamp with its offset, as the caller wrote it; null for anything else, and for a moment whose year in UTC is not
-- 1 to 9999: RFC 3339 can't write it in a response.
create or replace function wallet.read_time(p_text text) returns timestamptz
language plpgsql stable strict set search_path = pg_catalog, pg_temp set datestyle = 'ISO' as $$
declare
  v_moment timestamptz;
begin
  if p_text !~ '^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$' then
    return null;
  end if;
  v_moment := p_text::timestamptz;
  return case when v_moment >= '0001-01-01 00:00:00+00' and v_moment < '10000-01-01 00:00:00+00' then v_moment end;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
  return null;
end $$;

-- A moment as it leaves the database: RFC 3339, UTC, microseconds. Not immutable, because to_char is not: it would not be inlined.
create or replace function wallet.format_time(p_at timestamptz) returns text
language sql stable as $$
  select pg_catalog.to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
