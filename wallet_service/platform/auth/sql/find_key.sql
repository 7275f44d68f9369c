-- The key for comparison: its hash in hexadecimal and the facts that decide, or null when there is none.
create or replace function wallet_api.find_key(p_key_id text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((
    select pg_catalog.json_build_object(
      'secret_hash', pg_catalog.encode(secret_hash, 'hex'),
      'client_name', client_name,
      'scopes', scopes,
      'expires_at', wallet.format_time(expires_at),
      'revoked', revoked_at is not null
    )::text
    from wallet.api_keys where key_id = p_key_id
  ), 'null')
$$;
