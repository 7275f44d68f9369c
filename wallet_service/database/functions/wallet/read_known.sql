-- Step 3. What earlier calls left that bears on each operation: by whom its key was spent, whether a later attempt
-- was already refused, whether its transaction_id is in the ledger. Read after the locks, so nothing is missed.
create or replace function wallet.read_known(p_operations wallet.operation[], p_claimed boolean[]) returns wallet.known[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_known wallet.known[];
begin
  select array_agg(row(i.transaction_id, i.kind, i.request_hash,
      exists (select from wallet.tombstones s where s.transaction_id = o.transaction_id),
      exists (select from wallet.wallet_transactions t where t.transaction_id = o.transaction_id)
    )::wallet.known order by o.ordinal) into v_known
    from unnest(p_operations) o left join wallet.idempotency i
      on i.client_id = o.client_id and i.key = o.key and o.refusal is null and p_claimed[o.ordinal] is not true;
  return v_known;
end $$;
