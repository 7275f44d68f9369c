-- Closes a wallet with zero balance and nothing locked. Its history stays; its name can be used again.
create or replace function wallet_api.close_wallet(p_wallet_id uuid, p_user_id text, p_version bigint, p_caller jsonb default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets := wallet.lock_wallet(p_wallet_id, p_user_id, p_version);
  v_before wallet.wallets := v_wallet;
begin
  if v_wallet.status = 'frozen' and p_user_id is not null and not v_wallet.frozen_by_owner then
    perform wallet.refuse_call('wallet_frozen', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  if v_wallet.balance <> 0 or v_wallet.locked_balance <> 0 then
    perform wallet.refuse_call('wallet_not_empty', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  update wallet.wallets w set status = 'closed', is_primary = false, version = w.version + 1, updated_at = wallet.clock()
    where w.wallet_id = p_wallet_id returning * into v_wallet;
  perform wallet.record_wallet_change(p_caller, v_before, v_wallet);
  return wallet.format_wallet(v_wallet);
end $$;
