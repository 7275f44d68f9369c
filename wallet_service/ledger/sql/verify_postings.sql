-- Checks postings as a whole: their legs, what a refund reverses, that none was superseded. About p_limit rows after p_after in
-- the order of transaction_id. Returns {checked, next, faults: [{check, wallet_id}], transactions}: the ids in hexadecimal,
-- without separator, but not of what the service posted by itself when it was due (wallet.settle_entry), which has no key.
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
        else wallet.reverses(s.legs, s.original) and s.original[1].amount >= (
            select sum(r.amount) from wallet.wallet_transactions r
            where r.original_transaction_id = s.original_transaction_id and r.leg = 0) end),
      ('keeping', (select count(distinct w.keeping) <= 1 and bool_and((w.keeping = 'mirrored') = (l.counter_account like 'mirrored:%'))
          filter (where l.counter_account not like 'wallet:%') is not false
        from unnest(s.legs) l join wallet.wallets w on w.wallet_id = l.wallet_id)),
      ('tombstones', not exists (select from wallet.tombstones d where d.transaction_id = s.transaction_id))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', case when v_last is not null then json_build_object('after', v_last) end,
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f),
    'transactions', (select coalesce(string_agg(encode(uuid_send(s.transaction_id), 'hex'), ''), '') from seen s
      where s.client_id <> 'wallet-service')
  )::text);
end $$;

-- Whether the rows of a posting belong together: those between two wallets name each other and balance, in each currency. The
-- form and the direction are those of the type, and a refund reverses its original (p_original). Null counts as no.
create or replace function wallet.check_legs(p_legs wallet.wallet_transactions[], p_original wallet.wallet_transactions[])
returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_kind constant wallet.operation_type := wallet.find_operation_type(p_legs[1].transaction_type);
  v_legs constant integer := cardinality(p_legs);
begin
  if (case v_kind.form when 'entries' then v_legs > 20 when 'transfer' then v_legs <> 2
      when 'refund' then v_legs <> coalesce(cardinality(p_original), 1) else v_legs <> 1 end)
    or v_kind.direction <> p_legs[1].direction
    or v_kind.form in ('movement', 'adjustment') and p_legs[1].counter_account like 'wallet:%'
  then
    return false;
  end if;
  for i in 1 .. v_legs loop
    if p_legs[i].leg <> i - 1 or p_legs[i].transaction_type <> p_legs[1].transaction_type
      or p_legs[i].created_at <> p_legs[1].created_at
      or p_legs[i].original_transaction_id is distinct from p_legs[1].original_transaction_id
    then
      return false;
    end if;
  end loop;
  return v_legs = 1 or not exists (
    select from unnest(p_legs) l where l.counter_account like 'wallet:%' and (
      l.counter_account = 'wallet:' || l.wallet_id
      or (select sum(case o.direction when 'credit' then o.amount else -o.amount end) <> 0
          or count(distinct o.currency) <> 1 or count(distinct o.wallet_id) <> 2
        from unnest(p_legs) o where o.wallet_id = l.wallet_id and o.counter_account = l.counter_account
          or 'wallet:' || o.wallet_id = l.counter_account and o.counter_account = 'wallet:' || l.wallet_id)))
    and (v_kind.form <> 'transfer' or p_legs[1].counter_account = 'wallet:' || p_legs[2].wallet_id
      and p_legs[1].direction = 'debit');
end $$;

-- Whether the rows of a refund are on the wallets of its original, which can be refunded, in the opposite direction.
create or replace function wallet.reverses(p_legs wallet.wallet_transactions[], p_original wallet.wallet_transactions[])
returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  for i in 1 .. greatest(cardinality(p_legs), cardinality(p_original)) loop
    if (p_legs[i].wallet_id = p_original[i].wallet_id and p_legs[i].direction <> p_original[i].direction) is not true then
      return false;
    end if;
  end loop;
  return (wallet.find_operation_type(p_original[1].transaction_type)).refundable;
end $$;
