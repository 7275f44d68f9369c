-- What happened to some wallets in a period, by currency, and with an interval also step by step: members of a JSON
-- object. Exact, and it stays so: where a posting under way could still get in before a bound, it is waited for.
create or replace function wallet.format_statistics(p_wallet_ids uuid[], p_from timestamptz, p_to timestamptz,
  p_interval text) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_tick constant interval := '1 microsecond';
  v_now constant timestamptz := wallet.clock();
  v_bounds constant timestamptz[] := wallet.find_period_bounds(p_from, p_to, p_interval, v_now);
  v_settled timestamptz;
  v_currencies json;
begin
  select max(b) into v_settled from unnest(v_bounds) b where b < v_now and b > '-infinity';
  perform wallet.await_postings(array(select w.wallet_id from wallet.wallets w
    where w.wallet_id = any (p_wallet_ids) and w.last_posted_at <= v_settled));
  with sums as materialized (
    select * from wallet.sum_periods(p_wallet_ids, v_bounds)
  ), parts as materialized (    -- the whole period, and its steps
    select 0::bigint as part, s.* from sums s
    union all select s.step, s.* from sums s where p_interval is not null
  ), types as materialized (
    select t.currency, t.part, json_agg((select v from (select t.transaction_type, t.direction, t.transactions,
        wallet.format_amount(t.amount, t.exponent) as amount) v) order by t.transaction_type, t.direction) as list
    from (select p.currency, p.exponent, p.part, p.transaction_type, p.direction, sum(p.transactions) as transactions,
        sum(p.amount) as amount from parts p where p.transaction_type is not null group by 1, 2, 3, 4, 5) t
    group by t.currency, t.part
  ), accounts as materialized (
    select a.currency, json_agg((select v from (select a.counter_account, a.direction, a.transactions,
        wallet.format_amount(a.amount, a.exponent) as amount) v) order by a.counter_account, a.direction) as list
    from (select s.currency, s.exponent, s.counter_account, s.direction, sum(s.transactions) as transactions,
        sum(s.amount) as amount from sums s where s.counter_account is not null group by 1, 2, 3, 4) a
    group by a.currency
  ), flows as materialized (
    select p.currency, p.part,
      wallet.format_amount((array_agg(p.opening_balance order by p.step))[1], p.exponent) as opening_balance,
      wallet.format_amount((array_agg(p.closing_balance order by p.step desc))[1], p.exponent) as closing_balance,
      wallet.format_amount(coalesce(sum(p.amount) filter (where p.direction = 'credit'), 0), p.exponent) as credited,
      wallet.format_amount(coalesce(sum(p.amount) filter (where p.direction = 'debit'), 0), p.exponent) as debited,
      sum(p.transactions) as transactions
    from parts p group by p.currency, p.exponent, p.part
  ), steps as materialized (
    select f.currency, json_agg((select v from (select
        wallet.format_time(v_bounds[f.part] + c_tick) as "from",
        wallet.format_time(nullif(v_bounds[f.part + 1], 'infinity') + c_tick) as "to",
        f.opening_balance, f.closing_balance, f.credited, f.debited, f.transactions,
        coalesce(t.list, '[]') as by_type) v) order by f.part) as list
    from flows f left join types t on t.currency = f.currency and t.part = f.part
    where f.part > 0 group by f.currency
  )
  select json_agg((select v from (select f.currency, f.opening_balance, f.closing_balance, f.credited, f.debited,
      f.transactions, coalesce(t.list, '[]') as by_type, coalesce(a.list, '[]') as by_counter_account,
      s.list as steps) v) order by f.currency) into v_currencies
    from flows f left join types t on t.currency = f.currency and t.part = f.part
      left join accounts a on a.currency = f.currency left join steps s on s.currency = f.currency
    where f.part = 0;
  return (select row_to_json(v)::text from (select wallet.format_time(p_from) as "from", wallet.format_time(p_to) as "to",
    p_interval as "interval", coalesce(v_currencies, '[]') as currencies) v);
end $$;
