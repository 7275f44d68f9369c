-- A page of the history of all wallets of a user, newest first: see wallet.read_history_page. p_before…: the position of the last
-- row of the previous page. p_organizations: see wallet.list_unasked_organizations; null shows all wallets. p_by: posted, or effective
-- (wallet.read_effective_page). p_restriction: see wallet.is_shown.
create or replace function wallet_api.list_user_transactions(p_user_id text, p_viewer text default null,
  p_filters jsonb default '{}', p_before_at timestamptz default null, p_before_wallet uuid default null,
  p_before_version bigint default null, p_limit integer default 50,
  p_organizations jsonb default null, p_by text default 'posted',
  p_restriction jsonb default null) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  v_unasked text := wallet.list_unasked_organizations(p_user_id, p_organizations);
  v_wallets uuid[];
begin
  if p_user_id <> p_viewer then
    perform wallet.refuse_call('wallet_not_found');
  end if;
  perform wallet.check_history_filters(p_filters);
  v_wallets := array(select w.wallet_id from wallet.wallets w
    where w.user_id = p_user_id and wallet.is_shown(w.wallet_id, w.user_id, w.organization_id, p_organizations, p_restriction));
  return coalesce(v_unasked, case p_by when 'effective'
    then wallet.read_effective_page(v_wallets, p_viewer, p_filters, p_before_at, p_before_wallet, p_before_version, p_limit)
    else wallet.read_history_page(v_wallets, p_viewer, p_filters, p_before_at, p_before_wallet, p_before_version, p_limit)
    end);
end $$;
