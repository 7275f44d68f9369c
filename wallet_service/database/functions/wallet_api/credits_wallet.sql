-- The wallet in which a user's credits are: the primary one in CREDIT, or else the oldest open one; made, as p_wallet_id,
-- when there is none.
create or replace function wallet_api.credits_wallet(p_user_id text, p_wallet_id uuid) returns text
language plpgsql volatile security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets;
begin
  for i in 1 .. 2 loop
    select * into v_wallet from wallet.wallets w
      where w.user_id = p_user_id and w.currency = 'CREDIT' and w.status <> 'closed'
      order by w.is_primary desc, w.wallet_id limit 1;
    if found then
      return wallet.wallet_json(v_wallet);
    end if;
    -- Somebody else may be making it: look once more behind them.
    perform wallet.lock_primary(p_user_id, 'CREDIT');
  end loop;
  return wallet.open_wallet(p_wallet_id, jsonb_build_object('user_id', p_user_id, 'wallet_type', 'fiat',
    'currency', 'CREDIT', 'name', 'main'), null);
end $$;
