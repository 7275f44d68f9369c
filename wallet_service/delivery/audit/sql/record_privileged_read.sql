-- Records that a caller read data of others. Of a wallet or transaction, the users whose data it is are found here: one entry for
-- each. p_object_id: what was read; * for all. A second call for the same read adds a second entry. Its commit does not wait for a
-- synchronous standby: while none is there, writes are refused, and operators must still be able to read.
create or replace function wallet_api.record_privileged_read(p_action text, p_object_id text, p_wallet_id uuid default null,
  p_transaction_id uuid default null, p_user_id text default null, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_user text;
begin
  perform set_config('synchronous_commit', 'local', true);
  for v_user in
    select w.user_id from wallet.wallets w where w.wallet_id = p_wallet_id
    union select t.user_id from wallet.wallet_transactions t where t.transaction_id = p_transaction_id
    union select p_user_id where p_wallet_id is null and p_transaction_id is null
  loop
    perform platform.record_read(p_caller, p_action, p_object_id, v_user);
  end loop;
  return 'true';
end $$;
