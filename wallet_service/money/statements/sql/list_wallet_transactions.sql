-- A page of a wallet's history, newest first: see wallet.read_history_page. p_before: the wallet_version of the last row of the
-- previous page. p_by: posted, or effective (wallet.read_effective_page); then p_before_at is the effective time of that row.
create or replace function wallet_api.list_wallet_transactions(p_wallet_id uuid, p_viewer text default null,
  p_filters jsonb default '{}', p_before bigint default null, p_limit integer default 50,
  p_by text default 'posted', p_before_at timestamptz default null) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  perform from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer);
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.check_history_filters(p_filters);
  if p_by = 'effective' then
    return wallet.read_effective_page(array[p_wallet_id], p_viewer, p_filters, p_before_at, p_wallet_id, p_before, p_limit);
  end if;
  return wallet.read_history_page(array[p_wallet_id], p_viewer, p_filters, null, p_wallet_id, p_before, p_limit);
end $$;
