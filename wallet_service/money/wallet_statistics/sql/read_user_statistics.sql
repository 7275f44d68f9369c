-- Totals of all wallets of a user in a period, the mirrored ones apart (p_from inclusive, p_to exclusive; open where null): see wallet.format_statistics.
-- p_organizations: see wallet.list_unasked_organizations; null includes all wallets. p_restriction: see
-- wallet.is_shown.
create or replace function wallet_api.read_user_statistics(p_user_id text, p_viewer text default null,
  p_from timestamptz default null, p_to timestamptz default null, p_interval text default null,
  p_organizations jsonb default null, p_by text default 'posted',
  p_restriction jsonb default null) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  v_unasked text;
  v_operating uuid[];
  v_mirrored uuid[];
begin
  if p_user_id <> p_viewer then
    perform wallet.refuse_call('wallet_not_found');
  end if;
  -- In one statement: this function is volatile, and no wallet may be added between two.
  select wallet.list_unasked_organizations(p_user_id, p_organizations),
      coalesce(array_agg(w.wallet_id) filter (where w.keeping = 'operating'), '{}'),
      coalesce(array_agg(w.wallet_id) filter (where w.keeping = 'mirrored'), '{}')
    into v_unasked, v_operating, v_mirrored
    from wallet.wallets w
    where w.user_id = p_user_id and wallet.is_shown(w.wallet_id, w.user_id, w.organization_id, p_organizations, p_restriction);
  return coalesce(v_unasked, '{"user_id":' || to_json(p_user_id) || ','
    || substr(wallet.format_statistics(v_operating, p_from, p_to, p_interval, p_by, v_mirrored), 2));
end $$;
