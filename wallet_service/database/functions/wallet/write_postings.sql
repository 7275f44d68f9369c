-- Step 5. Gives back the claims of the refused, hands a claim to the operation that posted under it, leaves tombstones
-- for refused second attempts, writes each wallet once and all rows at once.
create or replace function wallet.write_postings(p_operations wallet.operation[], p_claimed boolean[],
  p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_entries wallet.wallet_transactions[] := array(select e from unnest(p_decisions) d, unnest(d.entries) e where d.fresh);
begin
  if exists (select from unnest(p_decisions) d where not d.fresh) then
    perform wallet.settle_claims(p_operations, p_claimed, p_decisions);
  end if;
  update wallet.wallets w set balance = e.balance_after, last_entry = e.wallet_version, last_posted_at = e.created_at
    from (select distinct on (e.wallet_id) e.* from unnest(v_entries) e order by e.wallet_id, e.wallet_version desc) e
    where w.wallet_id = e.wallet_id;
  insert into wallet.wallet_transactions select e.* from unnest(v_entries) e;
  perform wallet.write_checkpoint(e.wallet_id, e.wallet_version) from unnest(v_entries) e
    where e.wallet_version % 1000 = 0;
end $$;
