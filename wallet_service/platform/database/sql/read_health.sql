-- The newest migration that was applied: readiness compares it with that of the code. read_only: whether the server accepts no
-- writes, as a standby or by its setting. (Not transaction_read_only: PostgREST sets that for a function that is stable.)
-- indexes_missing: those of p_indexes, an array of names with their schemas, that are missing or invalid; the code works without
-- them. functions_missing: those of p_functions, an array of names in wallet_api, that do not exist or can't work for the caller
-- (owner, SECURITY DEFINER, grant). test_clock: whether callers can set the ledger's clock.
create or replace function wallet_api.read_health(p_indexes jsonb default '[]', p_functions jsonb default '[]') returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select
    (select max(m.number) from wallet.migrations m) as migration,
    current_setting('server_version_num')::integer as server_version,
    pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as read_only,
    wallet.has_test_clock() as test_clock,
    (select coalesce(json_agg(i.name order by i.place), '[]')
      from jsonb_array_elements_text(p_indexes) with ordinality as i (name, place)
      where not exists (select from pg_catalog.pg_index x
        join pg_catalog.pg_class c on c.oid = x.indexrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where x.indisvalid and n.nspname = split_part(i.name, '.', 1) and c.relname = split_part(i.name, '.', 2))
    ) as indexes_missing,
    (select coalesce(json_agg(f.name order by f.place), '[]')
      from jsonb_array_elements_text(p_functions) with ordinality as f (name, place)
      where not exists (select from pg_catalog.pg_proc p
        where p.pronamespace = 'wallet_api'::regnamespace and p.proname = f.name
          and p.prosecdef and p.proowner = 'wallet_owner'::regrole
          -- A grant to the role of the call, in which this function does not run: PostgREST takes it with SET ROLE.
          and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g where g.grantee = 0
            or pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user::text)::name, g.grantee, 'USAGE')))
    ) as functions_missing) v);
end $$;
