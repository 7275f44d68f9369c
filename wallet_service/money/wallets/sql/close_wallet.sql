-- Closes a wallet with zero balance and nothing locked, after what was due on it. Its history stays; its name can be used again. Rooms
-- that keep something about it are called once more, to end that (ledger: open_room_state.sql).
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
  update wallet.wallets w set status = 'closed', is_primary = false, version = w.version + 1, updated_at = wallet.clock(),
      due_at = case when w.marks > 0 then '-infinity' else w.due_at end
    where w.wallet_id = p_wallet_id returning * into v_wallet;
  perform wallet.record_wallet_change(p_caller, v_before, v_wallet);
  if v_wallet.marks > 0 then
    perform wallet.settle_wallets(array[p_wallet_id]);
  end if;
  return wallet.format_wallet(v_wallet);
end $$;
