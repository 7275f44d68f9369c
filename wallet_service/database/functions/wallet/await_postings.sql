-- Waits until whoever is posting to these wallets has committed, at most 2 s for each. A posting takes its time after it
-- has locked its wallets, so a later one carries a later time than the end of this wait: what the next statement sees of
-- the past before it is final. Holds nothing afterwards: the locks go with the subtransaction.
create or replace function wallet.await_postings(p_wallet_ids uuid[]) returns void
language plpgsql volatile set search_path = '' set lock_timeout = '2s' as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'asking for a past moment needs READ COMMITTED' using errcode = 'WL002';
  end if;
  if cardinality(p_wallet_ids) > 0 then
    begin
      perform from wallet.wallets w where w.wallet_id = any (p_wallet_ids) order by w.wallet_id for share;
      raise exception using errcode = 'WL004', message = 'waited';
    exception when sqlstate 'WL004' then
      null;
    end;
  end if;
end $$;
