-- What happened to some wallets in a period, by currency, and with an interval also step by step: members of a JSON object. The
-- result is exact and final: postings under way that could still get a time before a bound are waited for. p_by: posted, or
-- effective: then a later posting that was effective in the period changes it. p_mirrored_ids: wallets whose totals stand apart.
create or replace function wallet.format_statistics(p_wallet_ids uuid[], p_from timestamptz, p_to timestamptz,
  p_interval text, p_by text default 'posted', p_mirrored_ids uuid[] default null) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_tick constant interval := '1 microsecond';
  v_now constant timestamptz := wallet.clock();
  v_bounds constant timestamptz[] := wallet.find_period_bounds(p_from, p_to, p_interval, v_now);
  v_settled timestamptz;
  v_answer text;
begin
  select max(b) into v_settled from unnest(v_bounds) b where b < v_now and b > '-infinity';
  perform wallet.await_postings(array(select w.wallet_id from wallet.wallets w
    where w.wallet_id = any (p_wallet_ids || p_mirrored_ids) and w.last_posted_at <= v_settled));
  select row_to_json(v)::text into v_answer from (select wallet.format_time(p_from) as "from", wallet.format_time(p_to) as "to",
    p_interval as "interval", wallet.format_currencies(p_wallet_ids, v_bounds, p_interval, p_by) as currencies) v;
  if p_mirrored_ids is not null then
    v_answer := left(v_answer, -1) || ',"mirrored":' || wallet.format_currencies(p_mirrored_ids, v_bounds, p_interval, p_by) || '}';
  end if;
  return v_answer;
end $$;

-- The totals between the bounds by currency: the whole period, and with p_interval its steps.
create or replace function wallet.format_currencies(p_wallet_ids uuid[], p_bounds timestamptz[], p_interval text, p_by text)
returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_tick constant interval := '1 microsecond';
begin
  return (with sums as materialized (
    select * from wallet.sum_periods(p_wallet_ids, p_bounds, p_by)
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
        wallet.format_time(p_bounds[f.part] + c_tick) as "from",
        wallet.format_time(nullif(p_bounds[f.part + 1], 'infinity') + c_tick) as "to",
        f.opening_balance, f.closing_balance, f.credited, f.debited, f.transactions,
        coalesce(t.list, '[]') as by_type) v) order by f.part) as list
    from flows f left join types t on t.currency = f.currency and t.part = f.part
    where f.part > 0 group by f.currency
  )
  select coalesce(json_agg((select v from (select f.currency, f.opening_balance, f.closing_balance, f.credited, f.debited,
      f.transactions, coalesce(t.list, '[]') as by_type, coalesce(a.list, '[]') as by_counter_account,
      s.list as steps) v) order by f.currency), '[]')
    from flows f left join types t on t.currency = f.currency and t.part = f.part
      left join accounts a on a.currency = f.currency left join steps s on s.currency = f.currency
    where f.part = 0);
end $$;

-- The moments at which a period begins, is divided (p_interval: day or month, UTC) and ends. Each is the last moment of the part
-- before it. Infinite where the period is open.
create or replace function wallet.find_period_bounds(p_from timestamptz, p_to timestamptz, p_interval text, p_now timestamptz)
returns timestamptz[]
language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
  c_most_steps constant integer := 366;
  c_tick constant interval := '1 microsecond';
  v_step constant interval := '1 ' || p_interval;
  v_inner timestamptz[];
begin
  if p_from >= p_to then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/to', 'must be later than from', 'query'));
  elsif p_interval is not null then
    if p_interval not in ('day', 'month') then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/interval', 'must be day or month', 'query'));
    elsif p_from is null then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/from', 'must be given with an interval', 'query'));
    end if;
    v_inner := array(select s.at - c_tick from (select generate_series(date_trunc(p_interval, p_from) + v_step,
      coalesce(p_to, p_now) - c_tick, v_step) as at limit c_most_steps) s);
    if cardinality(v_inner) >= c_most_steps then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/interval', 'divides the period into more than 366 steps', 'query'));
    end if;
  end if;
  return coalesce(p_from - c_tick, '-infinity') || v_inner || coalesce(p_to - c_tick, 'infinity');
end $$;

-- What happened to some wallets between the bounds: for each currency and step its opening and closing balance, with the totals by
-- type, direction and counter account in as many rows as needed (one row without a type when nothing happened).
create or replace function wallet.sum_periods(p_wallet_ids uuid[], p_bounds timestamptz[], p_by text default 'posted')
returns table (currency text, exponent smallint, step bigint, opening_balance numeric, closing_balance numeric,
  transaction_type text, direction text, counter_account text, transactions bigint, amount numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- One statement reads each last_entry once; the rows and checkpoints up to it never change.
  return query
    with bounds as materialized (
      select w.wallet_id, w.currency, c.exponent, w.last_entry, b.place, b.moment, case b.moment
        when '-infinity' then 0 when 'infinity' then w.last_entry
        else wallet.find_version_at(w.wallet_id, b.moment, w.last_entry) end as version
      from wallet.wallets w join wallet.currencies c on c.code = w.currency
        cross join unnest(p_bounds) with ordinality b (moment, place)
      where w.wallet_id = any (p_wallet_ids)
    ), reached as materialized (
      select v.wallet_id, v.version, t.*
      from (select distinct b.wallet_id, b.version, b.last_entry from bounds b) v
        cross join lateral wallet.read_totals_at(v.wallet_id, v.version, v.last_entry) t
    ), shifted as materialized (
      select b.wallet_id, b.place, t.* from bounds b
        cross join lateral wallet.read_shifted_totals(b.wallet_id, b.moment, b.version, b.last_entry) t
      where p_by = 'effective'
    ), totals as (
      select b.wallet_id, b.currency, b.place, r.transaction_type, r.direction, r.counter_account, r.transactions, r.amount
        from bounds b join reached r on r.wallet_id = b.wallet_id and r.version = b.version
      union all
      select s.wallet_id, b.currency, s.place, s.transaction_type, s.direction, s.counter_account, s.transactions, s.amount
        from shifted s join bounds b on b.wallet_id = s.wallet_id and b.place = s.place
    ), balances as materialized (
      select b.currency, b.exponent, b.place, sum(coalesce(t.balance_after, 0) + coalesce((
        select sum(case s.direction when 'credit' then s.amount else -s.amount end) from shifted s
        where s.wallet_id = b.wallet_id and s.place = b.place), 0)) as balance
      from bounds b left join wallet.wallet_transactions t on t.wallet_id = b.wallet_id and t.wallet_version = b.version
      group by b.currency, b.exponent, b.place
    ), sums as materialized (    -- a bound ends one step and begins the next
      select r.currency, s.step, r.transaction_type, r.direction, r.counter_account,
        sum(s.sign * r.transactions)::bigint as transactions, sum(s.sign * r.amount) as amount
      from totals r cross join lateral (values (r.place - 1, 1), (r.place, -1)) s (step, sign)
      group by r.currency, s.step, r.transaction_type, r.direction, r.counter_account
      having sum(s.sign * r.transactions) > 0
    )
    select o.currency, o.exponent, o.place, o.balance, e.balance, s.transaction_type, s.direction, s.counter_account,
      coalesce(s.transactions, 0), coalesce(s.amount, 0)
    from balances o join balances e on e.currency = o.currency and e.place = o.place + 1
      left join sums s on s.currency = o.currency and s.step = o.place;
end $$;
