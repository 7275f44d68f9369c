-- Locks a wallet, waiting so long at most. In vain, it is left as it is: step 2 then finds it held.
create or replace function wallet.await_account(p_wallet_id uuid, p_wait_ms integer) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('lock_timeout', p_wait_ms || 'ms', true);
  perform from wallet.wallets w where w.wallet_id = p_wallet_id for no key update;
exception when lock_not_available then
  null;
end $$;
