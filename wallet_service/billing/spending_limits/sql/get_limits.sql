-- The limits of a wallet with what is used of them, after what was due on it; p_user_id: the user of the request, or null for a service.
create or replace function wallet_api.get_limits(p_wallet_id uuid, p_user_id text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets;
begin
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.wallet_id is null or v_wallet.user_id <> p_user_id then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  if v_wallet.due_at < 'infinity' and wallet.settle_before_read(p_wallet_id) then
    select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  end if;
  return billing.format_limits(v_wallet, greatest(wallet.clock(), v_wallet.last_posted_at));
end $$;
