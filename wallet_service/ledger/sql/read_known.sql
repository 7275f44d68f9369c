-- Step 3. What earlier calls left that bears on the operations: which later attempts were already refused, which
-- transaction_ids are in the ledger, which keys were spent on what. Read after the locks, so nothing is missed.
create or replace function wallet.read_known(p_operations wallet.operation[], p_claimed boolean[]) returns wallet.known
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_ids uuid[];
  v_unclaimed wallet.operation[];
  v_spent wallet.idempotency;
  v_known wallet.known;
begin
  foreach v_op in array p_operations loop
    v_ids[v_op.ordinal] := v_op.transaction_id;
    if v_op.refusal is null and p_claimed[v_op.leader] is not true then
      v_unclaimed := v_unclaimed || v_op;
    end if;
  end loop;
  select array(select s.transaction_id from wallet.tombstones s where s.transaction_id = any (v_ids)),
      array(select t.transaction_id from wallet.wallet_transactions t where t.transaction_id = any (v_ids) and t.leg = 0)
    into v_known.superseded, v_known.posted;
  foreach v_op in array coalesce(v_unclaimed, '{}') loop
    select * into v_spent from wallet.idempotency i where i.client_id = v_op.client_id and i.key = v_op.idempotency_key;
    v_known.spent[v_op.leader] := v_spent;
  end loop;
  return v_known;
end $$;
