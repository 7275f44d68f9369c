-- Totals of all wallets of a user in a period (from inclusive, to exclusive; open where null), see wallet.statistics_text.
create or replace function wallet_api.user_statistics(p_user_id text, p_viewer text default null,
  p_from timestamptz default null, p_to timestamptz default null, p_interval text default null) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  if p_user_id <> p_viewer then
    perform wallet.refuse('wallet_not_found');
  end if;
  return '{"user_id":' || to_json(p_user_id) || ',' || substr(wallet.statistics_text(
    array(select w.wallet_id from wallet.wallets w where w.user_id = p_user_id), p_from, p_to, p_interval), 2);
end $$;
