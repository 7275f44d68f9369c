-- Keys in the order of their creation, without their hashes: {"items": […], "next": key_id | null}.
create or replace function wallet_api.list_keys(p_after text default null, p_limit int default 100) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with page as (
    select key_id, client_name, scopes, created_at, expires_at, revoked_at, wallet_ids, user_id, organization_id, counter_accounts,
      max_amount
    from wallet.api_keys
    where key_id > coalesce(p_after, '')
    order by key_id
    limit least(greatest(p_limit, 1), 100) + 1
  ), numbered as (
    select page.*, pg_catalog.row_number() over (order by key_id) as place from page
  ), shown as (
    select * from numbered where place <= least(greatest(p_limit, 1), 100)
  )
  select pg_catalog.json_build_object(
    'items', coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'key_id', key_id,
      'client_name', client_name,
      'scopes', scopes,
      'created_at', wallet.format_time(created_at),
      'expires_at', wallet.format_time(expires_at),
      'revoked_at', wallet.format_time(revoked_at),
      'wallet_ids', wallet_ids,
      'user_id', user_id,
      'organization_id', organization_id,
      'counter_accounts', counter_accounts,
      'max_amount', max_amount::text
    ) order by key_id), '[]'),
    'next', case when exists (select from numbered where place > least(greatest(p_limit, 1), 100))
      then pg_catalog.max(key_id) end
  )::text
  from shown
$$;
