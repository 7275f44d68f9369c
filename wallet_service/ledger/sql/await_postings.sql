-- Waits until whoever is posting to these wallets has committed, at most 2 s for each. A posting takes its time after it
-- has locked its wallets, so a later one carries a later time than the end of this wait: what the next statement sees of
-- the past before it is final. Holds nothing afterwards: the locks go with the subtransaction.
create or replace function wallet.await_postings(p_wallet_ids uuid[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet_id uuid;
begin
  if pg_is_in_recovery() then
    return;    -- a replica has nothing under way; what it has not yet received is as late as everything else there
  end if;
  perform wallet.require_read_committed();
  foreach v_wallet_id in array p_wallet_ids loop
    begin
      perform from wallet.wallets w where w.wallet_id = v_wallet_id for share;
      raise exception using errcode = 'WL004', message = 'waited';
    exception when sqlstate 'WL004' then
      null;    -- and let go of the lock: nobody waits for this call while it waits for the next wallet
    end;
  end loop;
end $$;
