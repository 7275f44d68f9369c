-- Revokes a key for good; a second call keeps the first moment. Returns {"revoked_at": …}, or null when there is no such key.
create or replace function wallet_api.revoke_key(p_key_id text) returns text
language sql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
  with revoked as (
    update wallet.api_keys set revoked_at = coalesce(revoked_at, wallet.clock())
    where key_id = p_key_id
    returning revoked_at
  )
  select coalesce((
    select pg_catalog.json_build_object('revoked_at', wallet.format_time(revoked_at))::text from revoked
  ), 'null')
$$;
