-- Checks postings as a whole: their legs, what a refund reverses, that none was superseded. About p_limit rows after p_after in
-- the order of transaction_id. Returns {checked, next, faults: [{check, wallet_id}], transactions}: the ids in hexadecimal,
-- without separator.
create or replace function wallet_api.verify_postings(p_after uuid default null, p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_after uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
  v_last uuid;
begin
  select r.transaction_id into v_last from (
    select t.transaction_id from wallet.wallet_transactions t where t.transaction_id > v_after
    order by t.transaction_id limit least(p_limit, 10000)) r
    order by r.transaction_id desc limit 1;
  return (with page as materialized (
    select t.transaction_id, array_agg(t order by t.leg) as legs from wallet.wallet_transactions t
    where t.transaction_id > v_after and t.transaction_id <= v_last
    group by t.transaction_id
  ), seen as materialized (
    select p.legs, (p.legs[1]).*,
      case when (p.legs[1]).original_transaction_id is not null
        then wallet.find_posting((p.legs[1]).original_transaction_id) end as original
    from page p
  ), faults as (
    select distinct e.wallet_id, f.name from seen s, unnest(s.legs) e, lateral (values
      ('legs', wallet.check_legs(s.legs, s.original)),
      ('refunds', case when s.transaction_type <> 'refund' then s.original_transaction_id is null
        else s.original[1].transaction_type <> 'refund' and s.wallet_id = s.original[1].wallet_id
          and s.legs[2].wallet_id is not distinct from s.original[2].wallet_id
          and s.direction <> s.original[1].direction and s.original[1].amount >= (
            select sum(r.amount) from wallet.wallet_transactions r
            where r.original_transaction_id = s.original_transaction_id and r.leg = 0) end),
      ('tombstones', not exists (select from wallet.tombstones d where d.transaction_id = s.transaction_id))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', case when v_last is not null then json_build_object('after', v_last) end,
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f),
    'transactions', (select coalesce(string_agg(encode(uuid_send(s.transaction_id), 'hex'), ''), '') from seen s)
  )::text);
end $$;

-- Whether the rows of a posting belong together: one leg, or two that balance and name each other, in the direction of the type.
-- p_original: the rows that a refund reverses. Null counts as no.
create or replace function wallet.check_legs(p_legs wallet.wallet_transactions[], p_original wallet.wallet_transactions[])
returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_type text := p_legs[1].transaction_type;
  v_two boolean := v_type = 'transfer' or (v_type = 'refund' and coalesce(cardinality(p_original), 1) = 2);
begin
  if cardinality(p_legs) <> (case when v_two then 2 else 1 end) or p_legs[1].leg <> 0
    or (v_type <> 'refund' and (v_type in ('deposit', 'reward')) <> (p_legs[1].direction = 'credit'))
  then
    return false;
  elsif not v_two then
    return p_legs[1].counter_account not like 'wallet:%';
  end if;
  return p_legs[2].leg = 1 and p_legs[2].transaction_type = v_type
    and p_legs[1].amount = p_legs[2].amount and p_legs[1].direction <> p_legs[2].direction
    and p_legs[1].currency = p_legs[2].currency and p_legs[1].wallet_id <> p_legs[2].wallet_id
    and p_legs[1].created_at = p_legs[2].created_at
    and p_legs[1].original_transaction_id is not distinct from p_legs[2].original_transaction_id
    and p_legs[1].counter_account = 'wallet:' || p_legs[2].wallet_id
    and p_legs[2].counter_account = 'wallet:' || p_legs[1].wallet_id;
end $$;
