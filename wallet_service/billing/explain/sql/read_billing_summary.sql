-- The part of the billing summary of up to p_limit wallets after p_after, in the order of their ids, for a period: p_from (null: the
-- begin) is in it, p_to (null: now) is not. Fewer where these have many entries since p_from, as the usages of those
-- are read; none: there are no more. {wallets, last, lines}. A line has currency, kind, key, amount and, of grants with a price,
-- cost_currency and cost, which is not rounded. Kinds: opening and closing (balances), entry (key: type, direction, counter account),
-- granted (key: source), used and expired (of grants, by what refunds gave back less), outstanding (what is left of grants at the end).
create or replace function wallet_api.read_billing_summary(p_from timestamptz default null, p_to timestamptz default null,
  p_after uuid default null, p_limit integer default 200) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  v_from timestamptz := coalesce(p_from, '-infinity');
  v_to timestamptz := coalesce(p_to, 'infinity');
begin
  return (
    with part as materialized (
      select s.* from billing.list_summed_wallets(p_from, p_to, p_after, p_limit, 200000) s
    ), granted as materialized (
      select p.currency, g.* from part p cross join lateral billing.sum_grants(p.wallet_id, v_from, v_to, p.first, p.last) g where p.keeping = 'operating'
    ), lines as (
      select p.currency, 'opening' as kind, null as key, null as cost_currency, sum(billing.read_balance_after(p.wallet_id, p.first)) as amount,
          null::numeric as cost from part p where p.keeping = 'operating' group by 1
      union all
      select p.currency, 'closing', null, null, sum(billing.read_balance_after(p.wallet_id, p.last)), null
        from part p where p.keeping = 'operating' group by 1
      union all
      select p.currency, 'entry', t.transaction_type || ' ' || t.direction || ' ' || t.counter_account, null, sum(t.amount), null
        from part p cross join lateral (
          select r.* from wallet.read_totals_at(p.wallet_id, p.last, p.last_entry) r
          union all
          select r.transaction_type, r.direction, r.counter_account, -r.transactions, -r.amount
            from wallet.read_totals_at(p.wallet_id, p.first, p.last_entry) r where p.first > 0) t
        where p.keeping = 'operating' group by 1, 3 having sum(t.transactions) <> 0
      union all
      select g.currency, g.kind, g.key, g.cost_currency, sum(g.amount), sum(g.cost) from granted g group by 1, 2, 3, 4
    )
    select row_to_json(v)::text from (select
      (select count(*) from part) as wallets,
      (select p.wallet_id from part p order by p.wallet_id desc limit 1) as last,
      coalesce((select json_agg((select i from (select l.currency, l.kind, l.key, l.cost_currency, trim_scale(l.amount)::text as amount,
        trim_scale(l.cost)::text as cost) i)) from lines l), '[]') as lines) v);
end $$;

-- The wallets of a part, with the versions before and at the end of the period: up to p_limit, and no further one when those before it have
-- p_entries entries since p_from.
create or replace function billing.list_summed_wallets(p_from timestamptz, p_to timestamptz, p_after uuid, p_limit integer,
  p_entries bigint)
returns table (wallet_id uuid, currency text, keeping text, last_entry bigint, first bigint, last bigint)
language plpgsql stable rows 200 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
    select s.wallet_id, s.currency, s.keeping::text, s.last_entry, s.first, s.last
    from (
      select p.*, sum(p.last_entry - p.first) over (order by p.wallet_id rows between unbounded preceding and 1 preceding) as before
      from (
        select w.wallet_id, w.currency, w.keeping, w.last_entry,
          case when p_from is null then 0
            else wallet.find_version_at(w.wallet_id, p_from - interval '1 microsecond', w.last_entry) end as first,
          case when p_to is null then w.last_entry
            else wallet.find_version_at(w.wallet_id, p_to - interval '1 microsecond', w.last_entry) end as last
        from wallet.wallets w
        where p_after is null or w.wallet_id > p_after order by w.wallet_id limit p_limit) p) s
    where coalesce(s.before, 0) < p_entries;
end $$;

-- What happened to the grants of a wallet after its version p_first up to p_last, and what was left of them then: kind, key, amount, and
-- its price. These versions are those of the period from p_from to p_to. What was left at its end is what is left now, with what was
-- taken since, so usages from before the period are not read.
create or replace function billing.sum_grants(p_wallet_id uuid, p_from timestamptz, p_to timestamptz, p_first bigint, p_last bigint)
returns table (kind text, key text, cost_currency text, amount numeric, cost numeric)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  if not exists (select from billing.grants g where g.wallet_id = p_wallet_id) then
    return;
  end if;
  return query
    with began as materialized (
      select g.grant_id, g.source, g.cost_currency, g.unit_cost, g.amount, g.remaining, g.original_grant_id, (select t.wallet_version
        from wallet.wallet_transactions t where t.transaction_id = g.transaction_id and t.wallet_id = g.wallet_id
        order by t.leg limit 1) as version
      from billing.grants g where g.wallet_id = p_wallet_id and g.transaction_id is not null
    ), taken as materialized (
      select u.grant_id, t.wallet_version <= p_last as is_inside, sum(u.amount) as amount
      from (select r.transaction_id, r.wallet_version, lag(r.transaction_id) over (order by r.wallet_version) as before
        from wallet.wallet_transactions r where r.wallet_id = p_wallet_id and r.wallet_version > p_first) t
        join billing.grant_usages u on u.transaction_id = t.transaction_id and u.wallet_id = p_wallet_id
      where t.before is distinct from t.transaction_id    -- of a posting with several entries on the wallet: the first
      group by 1, 2
    ), moved as materialized (
      select b.grant_id, m.kind, m.moved_at < p_to as is_inside, sum(m.amount) as amount
      from began b join billing.grant_movements m on m.grant_id = b.grant_id where m.moved_at >= p_from group by 1, 2, 3
    )
    select m.kind, case m.kind when 'granted' then b.source end, b.cost_currency, sum(m.amount), sum(m.amount * b.unit_cost)
    from (
      select b.grant_id, case when b.original_grant_id is null then 'granted' else 'used' end as kind,
          case when b.original_grant_id is null then b.amount else -b.amount end as amount
        from began b where b.version > p_first and b.version <= p_last
      union all
      select t.grant_id, 'used', t.amount from taken t where t.is_inside
      union all
      select v.grant_id, case v.kind when 'returned' then 'used' else v.kind end,
          case v.kind when 'returned' then -v.amount else v.amount end
        from moved v where v.is_inside
      union all
      select b.grant_id, 'outstanding', b.remaining from began b where b.version <= p_last
      union all
      select t.grant_id, 'outstanding', t.amount from taken t join began b on b.grant_id = t.grant_id and b.version <= p_last
        where not t.is_inside
      union all
      select v.grant_id, 'outstanding', case v.kind when 'returned' then -v.amount else v.amount end
        from moved v join began b on b.grant_id = v.grant_id and b.version <= p_last where not v.is_inside
    ) m join began b on b.grant_id = m.grant_id
    where m.amount <> 0
    group by 1, 2, 3 having m.kind <> 'outstanding' or sum(m.amount) <> 0;
end $$;
