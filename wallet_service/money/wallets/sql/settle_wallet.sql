-- Records whether the user of an unverified wallet exists: if so, the mark is removed; if not, the wallet is frozen and keeps the
-- mark. Returns 'verified', 'frozen', or 'nothing' for a wallet that is not marked or is already frozen or closed. It is safe to
-- repeat. platform/membership calls it; it is here because the change is recorded with the wallet as callers see it.
create or replace function wallet_api.settle_wallet(p_wallet_id uuid, p_exists boolean, p_caller jsonb default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets;
  v_new wallet.wallets;
begin
  perform wallet.require_read_committed();
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id for no key update;
  if v_wallet.unverified_since is null or v_wallet.status <> 'active' or p_exists is null then
    return 'nothing';
  elsif p_exists then
    update wallet.wallets w set unverified_since = null where w.wallet_id = p_wallet_id returning * into v_new;
    perform wallet.record_wallet_change(p_caller, v_wallet, v_new);
    return 'verified';
  end if;
  update wallet.wallets w set status = 'frozen', version = w.version + 1, updated_at = wallet.clock()
    where w.wallet_id = p_wallet_id returning * into v_new;
  perform wallet.record_wallet_change(p_caller, v_wallet, v_new);
  return 'frozen';
end $$;
