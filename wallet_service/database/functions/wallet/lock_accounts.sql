-- Step 2. Locks the wallets that the operations touch, in id order, and reads them. With p_wait_ms = 0, or p_wait_for,
-- a wallet that somebody else holds is not waited for (but for p_wait_for): it comes back with status 'busy'.
create or replace function wallet.lock_accounts(p_operations wallet.operation[], p_claimed boolean[], p_wait_ms integer,
  p_wait_for uuid) returns wallet.account[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_wanted uuid[];
  v_accounts wallet.account[];
begin
  with live as (
    select o.* from unnest(p_operations) o where o.refusal is null and (p_claimed[o.ordinal] or o.dry_run)
  )
  select array_agg(distinct w.wallet_id) into v_wanted from (
    select l.wallet_id from live l
    union all select l.to_wallet_id from live l
    union all select t.wallet_id from live l
      join wallet.wallet_transactions t on t.transaction_id = l.original_transaction_id
  ) w where w.wallet_id is not null;
  if p_wait_ms > 0 and p_wait_for is null then
    select array_agg(row(w.wallet_id, w.user_id, w.currency, w.exponent, w.balance, w.locked_balance, w.credit_limit,
        w.status, w.last_entry, w.last_posted_at)::wallet.account) into v_accounts
      from (select w.*, c.exponent from wallet.wallets w join wallet.currencies c on c.code = w.currency
        where w.wallet_id = any (v_wanted) order by w.wallet_id for no key update of w) w;
    return v_accounts;
  end if;
  if p_wait_ms > 0 then
    perform from wallet.wallets w where w.wallet_id = p_wait_for for no key update;
  end if;
  select array_agg(row(w.wallet_id, w.user_id, w.currency, w.exponent, w.balance, w.locked_balance, w.credit_limit,
      w.status, w.last_entry, w.last_posted_at)::wallet.account) into v_accounts
    from (select w.*, c.exponent from wallet.wallets w join wallet.currencies c on c.code = w.currency
      where w.wallet_id = any (v_wanted) order by w.wallet_id for no key update of w skip locked) w;
  if coalesce(array_length(v_accounts, 1), 0) < array_length(v_wanted, 1) then
    v_accounts := v_accounts || array(
      select row(w.wallet_id, w.user_id, w.currency, 0, 0, 0, 0, 'busy', 0, null)::wallet.account from wallet.wallets w
      where w.wallet_id = any (v_wanted) and w.wallet_id not in (select a.wallet_id from unnest(v_accounts) a));
  end if;
  return v_accounts;
end $$;
