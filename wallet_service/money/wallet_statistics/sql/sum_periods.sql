-- What happened to some wallets between the bounds: for each currency and step its opening and closing balance, and in
-- as many rows as needed (one without a type, when nothing happened) the totals by type, direction and counter account.
create or replace function wallet.sum_periods(p_wallet_ids uuid[], p_bounds timestamptz[])
returns table (currency text, exponent smallint, step bigint, opening_balance numeric, closing_balance numeric,
  transaction_type text, direction text, counter_account text, transactions bigint, amount numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  -- One statement reads each last_entry once; the rows and checkpoints up to it never change.
  return query
    with bounds as materialized (
      select w.wallet_id, w.currency, c.exponent, w.last_entry, b.place, case b.moment
        when '-infinity' then 0 when 'infinity' then w.last_entry
        else wallet.find_version_at(w.wallet_id, b.moment, w.last_entry) end as version
      from wallet.wallets w join wallet.currencies c on c.code = w.currency
        cross join unnest(p_bounds) with ordinality b (moment, place)
      where w.wallet_id = any (p_wallet_ids)
    ), reached as materialized (
      select v.wallet_id, v.version, t.*
      from (select distinct b.wallet_id, b.version, b.last_entry from bounds b) v
        cross join lateral wallet.read_totals_at(v.wallet_id, v.version, v.last_entry) t
    ), balances as materialized (
      select b.currency, b.exponent, b.place, sum(coalesce(t.balance_after, 0)) as balance
      from bounds b left join wallet.wallet_transactions t on t.wallet_id = b.wallet_id and t.wallet_version = b.version
      group by b.currency, b.exponent, b.place
    ), sums as materialized (    -- a bound ends one step and begins the next
      select b.currency, s.step, r.transaction_type, r.direction, r.counter_account,
        sum(s.sign * r.transactions)::bigint as transactions, sum(s.sign * r.amount) as amount
      from bounds b join reached r on r.wallet_id = b.wallet_id and r.version = b.version
        cross join lateral (values (b.place - 1, 1), (b.place, -1)) s (step, sign)
      group by b.currency, s.step, r.transaction_type, r.direction, r.counter_account
      having sum(s.sign * r.transactions) > 0
    )
    select o.currency, o.exponent, o.place, o.balance, e.balance, s.transaction_type, s.direction, s.counter_account,
      coalesce(s.transactions, 0), coalesce(s.amount, 0)
    from balances o join balances e on e.currency = o.currency and e.place = o.place + 1
      left join sums s on s.currency = o.currency and s.step = o.place;
end $$;
