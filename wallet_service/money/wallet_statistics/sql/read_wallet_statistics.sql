-- Totals of a wallet in a period (p_from inclusive, p_to exclusive; open where null): see wallet.format_statistics.
create or replace function wallet_api.read_wallet_statistics(p_wallet_id uuid, p_viewer text default null,
  p_from timestamptz default null, p_to timestamptz default null, p_interval text default null,
  p_by text default 'posted') returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  perform from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer);
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  return '{"wallet_id":"' || p_wallet_id || '",'
    || substr(wallet.format_statistics(array[p_wallet_id], p_from, p_to, p_interval, p_by), 2);
end $$;
