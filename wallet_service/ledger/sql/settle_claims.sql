-- Of the keys that this call claimed: gives back those under which nothing posted, and names the operation that did
-- where it was not the one that claimed. A second attempt that is refused leaves a tombstone,
-- unless its transaction_id is in the ledger (it came under another key).
create or replace function wallet.settle_claims(p_operations wallet.operation[], p_claimed boolean[],
  p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  delete from wallet.idempotency i using (
      select o.client_id, o.idempotency_key from unnest(p_operations) o
      where p_claimed[o.leader] and o.refusal is null
      group by o.client_id, o.idempotency_key having not bool_or(p_decisions[o.ordinal].fresh)) g
    where i.client_id = g.client_id and i.key = g.idempotency_key;
  update wallet.idempotency i set transaction_id = o.transaction_id, request_hash = o.request_hash
    from unnest(p_operations) o
    where p_decisions[o.ordinal].fresh and not o.claims and i.client_id = o.client_id and i.key = o.idempotency_key;
  insert into wallet.tombstones (transaction_id, created_at)
    select o.transaction_id, wallet.clock() from unnest(p_operations) o
    where o.resent and not o.dry_run and p_decisions[o.ordinal].status = 'refused' and o.transaction_id is not null
      and not exists (select from wallet.wallet_transactions t where t.transaction_id = o.transaction_id)
    order by o.transaction_id on conflict do nothing;
end $$;
