-- The key for comparison: its hash in hexadecimal and the facts that decide, or null when there is none. now: what the ledger's clock
-- shows, by which the key expires. p_restricted: whether the
-- caller knows restrictions. To one that does not, such as release 0.1.0, a restricted key does not exist.
create or replace function wallet_api.find_key(p_key_id text, p_restricted boolean default false) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((
    select pg_catalog.json_build_object(
      'secret_hash', pg_catalog.encode(secret_hash, 'hex'),
      'client_name', client_name,
      'scopes', scopes,
      'expires_at', wallet.format_time(expires_at),
      'now', wallet.format_time(wallet.clock()),
      'revoked', revoked_at is not null,
      'wallet_ids', wallet_ids,
      'user_id', user_id,
      'organization_id', organization_id,
      'counter_accounts', counter_accounts,
      'max_amount', max_amount::text
    )::text
    from wallet.api_keys
    where key_id = p_key_id
      and (p_restricted or pg_catalog.num_nonnulls(wallet_ids, user_id, organization_id, counter_accounts, max_amount) = 0)
  ), 'null')
$$;
