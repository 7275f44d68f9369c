-- The newest migration that was applied: readiness compares it with that of the code.
create or replace function wallet_api.read_health() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select max(m.number) as migration, current_setting('server_version_num')::integer
    as server_version from wallet.migrations m) v);
end $$;
