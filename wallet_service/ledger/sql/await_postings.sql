-- Waits until the transactions that have locked these wallets are over, at most 2 s for each wallet. A posting reads the clock
-- after it has locked its wallets, so a later posting has a later time than the end of this wait: the past before it is final for
-- the next statement. No lock is kept: they end with the subtransaction.
create or replace function wallet.await_postings(p_wallet_ids uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet_id uuid;
begin
  if pg_is_in_recovery() then
    return;    -- a replica has no posting under way; what it has not received yet is missing everywhere on it
  end if;
  perform wallet.require_read_committed();
  foreach v_wallet_id in array p_wallet_ids loop
    begin
      perform from wallet.wallets w where w.wallet_id = v_wallet_id for share;
      raise exception using errcode = 'WL004', message = 'waited';
    exception when sqlstate 'WL004' then
      null;    -- the lock is released: no session waits for this call while it waits for the next wallet
    end;
  end loop;
end $$;
