-- Keys in the order of their creation, without their hashes: {"items": […], "next": key_id | null}.
create or replace function wallet_api.list_keys(p_after text default null, p_limit int default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 100);
  v_keys wallet.api_keys[] := array(select k from wallet.api_keys k where k.key_id > coalesce(p_after, '')
    order by k.key_id limit v_limit + 1);
begin
  return json_build_object(
    'items', (select coalesce(json_agg(wallet.format_key(v_keys[i])::json order by i), '[]')
      from generate_subscripts(v_keys, 1) i where i <= v_limit),
    'next', case when cardinality(v_keys) > v_limit then v_keys[v_limit].key_id end)::text;
end $$;

-- A key as the operator sees it, and as events and the audit trail have it: without its hash.
create or replace function wallet.format_key(p_key wallet.api_keys) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select json_build_object(
    'key_id', p_key.key_id,
    'client_name', p_key.client_name,
    'scopes', p_key.scopes,
    'created_at', wallet.format_time(p_key.created_at),
    'expires_at', wallet.format_time(p_key.expires_at),
    'revoked_at', wallet.format_time(p_key.revoked_at),
    'wallet_ids', p_key.wallet_ids,
    'user_id', p_key.user_id,
    'organization_id', p_key.organization_id,
    'counter_accounts', p_key.counter_accounts,
    'max_amount', p_key.max_amount::text)::text
$$;
