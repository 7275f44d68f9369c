-- The operating wallet from which a user spends in a currency: the primary one, or else the oldest one that is open; null where there
-- is none. With a key that the client spent on a wallet of the user in this currency, that wallet: a request that is sent
-- again is the same request, whichever wallet is primary by then.
create or replace function wallet.find_wallet(p_user_id text, p_currency text, p_client_id text, p_key text) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet_id uuid;
begin
  if p_key is not null then
    select t.wallet_id into v_wallet_id from wallet.idempotency i
      join wallet.wallet_transactions t on t.transaction_id = i.transaction_id and t.leg = 0
      where i.client_id = p_client_id and i.key = p_key and t.user_id = p_user_id and t.currency = p_currency;
    if found then
      return v_wallet_id;
    end if;
  end if;
  select w.wallet_id into v_wallet_id from wallet.wallets w
    where w.user_id = p_user_id and w.currency = p_currency and w.keeping = 'operating' and w.status <> 'closed'
    order by w.is_primary desc, w.wallet_id limit 1;
  return v_wallet_id;
end $$;
