-- Step 1. Claims the idempotency keys in sorted order; waits while another call is claiming the same key. Returns by leader
-- whether this call now has the key; null where no operation would use it.
create or replace function wallet.claim_keys(p_operations wallet.operation[]) returns boolean[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_inserted uuid[];
  v_op wallet.operation;
  v_claimed boolean[];
begin
  with inserted as (
    insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
    select o.client_id, o.idempotency_key, 'posting', o.transaction_id, o.request_hash, wallet.clock()
    from unnest(p_operations) o where o.claims
    order by o.client_id, o.idempotency_key
    on conflict do nothing
    returning transaction_id
  )
  select array_agg(i.transaction_id) into v_inserted from inserted i;
  foreach v_op in array p_operations loop
    if v_op.claims then
      v_claimed[v_op.leader] := coalesce(v_op.transaction_id = any (v_inserted), false);
    end if;
  end loop;
  return v_claimed;
end $$;
