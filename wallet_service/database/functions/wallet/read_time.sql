-- A caller's RFC 3339 timestamp with its offset; null for anything else.
create or replace function wallet.read_time(p_text text) returns timestamptz
language plpgsql stable set search_path = '' set datestyle = 'ISO' as $$
begin
  if p_text !~ '^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$' then
    return null;
  end if;
  return p_text::timestamptz;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
  return null;
end $$;
