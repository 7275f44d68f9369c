-- Step 1. Claims the idempotency keys in sorted order, waiting for a claim under way. Answers for each operation
-- whether its key is now this call's (claimed by another operation, for a dry run); null for those refused already.
create or replace function wallet.claim_keys(p_operations wallet.operation[]) returns boolean[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_claimed boolean[];
begin
  with wanting as (
    select o.* from unnest(p_operations) o where o.refusal is null and not o.dry_run
  ), inserted as (
    insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
    select l.client_id, l.key, 'posting', l.transaction_id, l.request_hash, wallet.clock()
    from (select distinct on (w.client_id, w.key) w.* from wanting w order by w.client_id, w.key, w.ordinal) l
    order by l.client_id, l.key
    on conflict do nothing
    returning client_id, key
  )
  select array_agg(case when o.refusal is null then i.key is not null end order by o.ordinal)
    into v_claimed
    from unnest(p_operations) o left join inserted i on i.client_id = o.client_id and i.key = o.key;
  return v_claimed;
end $$;
