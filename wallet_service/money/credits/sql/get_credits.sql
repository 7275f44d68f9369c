-- What a user has in the wallet from which credits are consumed, after what was due on it; balance 0 and no wallet_id where there is
-- none.
create or replace function wallet_api.get_credits(p_user_id text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet_id uuid := wallet.find_wallet(p_user_id, 'CREDIT', null, null);
begin
  if (select w.due_at < 'infinity' from wallet.wallets w where w.wallet_id = v_wallet_id) then
    perform wallet.settle_before_read(v_wallet_id);
  end if;
  return (select row_to_json(v)::text from (
    select p_user_id as user_id, v_wallet_id as wallet_id, c.code as currency,
      wallet.format_amount(coalesce(w.balance, 0), c.exponent) as balance,
      wallet.format_amount(coalesce(w.balance - w.locked_balance, 0), c.exponent) as available_balance
    from wallet.currencies c left join wallet.wallets w on w.wallet_id = v_wallet_id where c.code = 'CREDIT') v);
end $$;
