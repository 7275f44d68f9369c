-- Step 2. Locks the wallets of the operations in the order of their ids, and reads them. With p_wait_ms the call waits for locked
-- wallets: for p_wait_for only, before it locks any other, or without p_wait_for for all of them. A wallet that another session
-- has locked and that the call does not wait for is returned with status 'busy'.
create or replace function wallet.lock_accounts(p_operations wallet.operation[], p_claimed boolean[], p_wait_ms integer,
  p_wait_for uuid) returns wallet.account[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_touched uuid[];
  v_wallet_id uuid;
  v_wanted uuid[] := '{}';
  v_accounts wallet.account[];
begin
  foreach v_op in array p_operations loop
    if v_op.refusal is null and (p_claimed[v_op.leader] or v_op.dry_run) then
      if v_op.form = 'entries' then
        v_touched := array(select e.wallet_id from unnest(v_op.entries) e);
      elsif v_op.form = 'refund' then    -- by itself: an expression that contains a query is always run as a query
        v_touched := array(select t.wallet_id from wallet.wallet_transactions t
          where t.transaction_id = v_op.original_transaction_id);
      else
        v_touched := array[v_op.wallet_id, v_op.to_wallet_id];
      end if;
      foreach v_wallet_id in array v_touched loop
        if v_wallet_id is not null and v_wallet_id <> all (v_wanted) then
          v_wanted := v_wanted || v_wallet_id;
        end if;
      end loop;
    end if;
  end loop;
  if p_wait_for is not null then
    perform wallet.await_account(p_wait_for, p_wait_ms);
  elsif p_wait_ms > 0 then
    perform from wallet.wallets w where w.wallet_id = any (v_wanted) order by w.wallet_id for no key update;
  end if;
  select array_agg(row(w.wallet_id, w.user_id, w.currency, w.exponent, w.balance, w.locked_balance, w.credit_limit,
      w.status, w.last_entry, w.last_posted_at, w.keeping, w.marks, w.due_at, false, false)::wallet.account) into v_accounts
    from (select w.*, c.exponent from wallet.wallets w join wallet.currencies c on c.code = w.currency
      where w.wallet_id = any (v_wanted) order by w.wallet_id for no key update of w skip locked) w;
  if coalesce(array_length(v_accounts, 1), 0) < array_length(v_wanted, 1) then
    v_accounts := v_accounts || array(
      select row(w.wallet_id, w.user_id, w.currency, 0, 0, 0, 0, 'busy', 0, null, w.keeping, 0, null, false, false)::wallet.account from wallet.wallets w
      where w.wallet_id = any (v_wanted) and w.wallet_id not in (select a.wallet_id from unnest(v_accounts) a));
  end if;
  return v_accounts;
end $$;

-- Locks a wallet; waits at most p_wait_ms for it. If it stays locked by another session, step 2 finds it locked.
create or replace function wallet.await_account(p_wallet_id uuid, p_wait_ms integer) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('lock_timeout', p_wait_ms || 'ms', true);
  perform from wallet.wallets w where w.wallet_id = p_wallet_id for no key update;
exception when lock_not_available then
  null;
end $$;
