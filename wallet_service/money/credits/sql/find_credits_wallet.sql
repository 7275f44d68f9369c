-- The wallet from which a user's credits are consumed, as wallet.find_wallet finds it; where there is none, it is created
-- as p_wallet_id. p_verified: as in create_wallet; null creates none.
create or replace function wallet_api.find_credits_wallet(p_user_id text, p_wallet_id uuid, p_client_id text default null,
  p_idempotency_key text default null, p_verified boolean default true, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_found uuid;
begin
  perform wallet.require_read_committed();
  if p_user_id is null or p_wallet_id is null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/user_id', 'must be given, and an id for the wallet'));
  end if;
  for i in 1 .. 2 loop
    v_found := wallet.find_wallet(p_user_id, 'CREDIT', p_client_id, p_idempotency_key);
    if v_found is not null then
      return (select wallet.format_wallet(w) from wallet.wallets w where w.wallet_id = v_found);
    end if;
    if p_verified is null then
      perform wallet.refuse_call('user_unknown', jsonb_build_object('user_id', p_user_id));
    end if;
    -- Another session may be creating it: search again after it has committed.
    perform wallet.lock_user_currency(p_user_id, 'CREDIT');
  end loop;
  return wallet.open_wallet(p_wallet_id, jsonb_build_object('user_id', p_user_id, 'wallet_type', 'fiat',
    'currency', 'CREDIT', 'name', 'main'), null, p_verified, p_caller);
end $$;
