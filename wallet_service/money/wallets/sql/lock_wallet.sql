-- Locks a wallet for a change of the wallet itself, after what was due on it. Refuses the call when there is no such wallet, when it
-- belongs to another user or is closed, or when its version is not p_version (null: any).
create or replace function wallet.lock_wallet(p_wallet_id uuid, p_user_id text, p_version bigint) returns wallet.wallets
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets;
begin
  perform wallet.require_read_committed();
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.wallet_id is null or v_wallet.user_id <> p_user_id then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.lock_user_currency(v_wallet.user_id, v_wallet.currency);
  perform from wallet.wallets w where w.wallet_id = p_wallet_id
    or w.user_id = v_wallet.user_id and w.currency = v_wallet.currency and w.keeping = v_wallet.keeping and w.is_primary
    order by w.wallet_id for no key update;
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.due_at < 'infinity' and wallet.settle_wallets(array[p_wallet_id]) > 0 then
    select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  end if;
  if v_wallet.status = 'closed' then
    perform wallet.refuse_call('wallet_closed', jsonb_build_object('wallet_id', p_wallet_id));
  elsif v_wallet.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('wallet_id', p_wallet_id, 'version', v_wallet.version));
  end if;
  return v_wallet;
end $$;

-- Serializes changes to the set of a user's wallets in a currency, and to which of them is primary. Taken before any row lock.
create or replace function wallet.lock_user_currency(p_user_id text, p_currency text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_currency || ' ' || p_user_id, 8208));
end $$;
