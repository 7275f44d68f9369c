-- The wallet that holds a user's credits: the primary one in CREDIT, or else the oldest open one; created, as p_wallet_id, when
-- there is none. With a key that its client used on a wallet of the user, that wallet: a request that is sent again is the same
-- request, whichever wallet is primary by then. p_verified: as in create_wallet; null creates none.
create or replace function wallet_api.find_credits_wallet(p_user_id text, p_wallet_id uuid, p_client_id text default null,
  p_idempotency_key text default null, p_verified boolean default true) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets;
begin
  perform wallet.require_read_committed();
  if p_user_id is null or p_wallet_id is null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/user_id', 'must be given, and an id for the wallet'));
  end if;
  select w.* into v_wallet from wallet.idempotency i
    join wallet.wallet_transactions t on t.transaction_id = i.transaction_id and t.leg = 0
    join wallet.wallets w on w.wallet_id = t.wallet_id
    where i.client_id = p_client_id and i.key = p_idempotency_key and w.user_id = p_user_id and w.currency = 'CREDIT';
  if found then
    return wallet.format_wallet(v_wallet);
  end if;
  for i in 1 .. 2 loop
    select * into v_wallet from wallet.wallets w
      where w.user_id = p_user_id and w.currency = 'CREDIT' and w.status <> 'closed'
      order by w.is_primary desc, w.wallet_id limit 1;
    if found then
      return wallet.format_wallet(v_wallet);
    end if;
    if p_verified is null then
      perform wallet.refuse_call('user_unknown', jsonb_build_object('user_id', p_user_id));
    end if;
    -- Another session may be creating it: search again after it has committed.
    perform wallet.lock_user_currency(p_user_id, 'CREDIT');
  end loop;
  return wallet.open_wallet(p_wallet_id, jsonb_build_object('user_id', p_user_id, 'wallet_type', 'fiat',
    'currency', 'CREDIT', 'name', 'main'), null, p_verified);
end $$;
