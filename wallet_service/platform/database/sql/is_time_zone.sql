-- Whether a name is one of the IANA time zone database. The form excludes what the database server accepts beside these: short
-- names such as CET, and rules such as CET-1CEST.
create or replace function wallet.is_time_zone(p_name text) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  perform now() at time zone p_name;
  return p_name collate "C" ~ '^(UTC|[A-Za-z_]+(/[A-Za-z_-]+){1,2}|Etc/GMT[+-][0-9]{1,2})$';
exception when invalid_parameter_value then
  return false;
end $$;
