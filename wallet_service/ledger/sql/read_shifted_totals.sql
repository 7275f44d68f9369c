-- What separates a wallet's totals at p_moment by effective time from those by posting time (versions 1 … p_version): rows entered
-- later that were effective by then are added, rows entered by then that were effective later are taken away. By type, direction
-- and counter account, as read_totals_at. p_last is the wallet's newest version. Only rows whose two moments differ are read: of few
-- versions by the primary key, otherwise by the partial index wallet_transactions_shift. It has rows by the length of their shift, so
-- that of the rows shifted by less than a day only those of a day around the moment are read. "+ 0" keeps the planner from the
-- primary key there: a plan for any parameters takes each range of versions for a short one.
create or replace function wallet.read_shifted_totals(p_wallet_id uuid, p_moment timestamptz, p_version bigint, p_last bigint)
returns table (transaction_type text, direction text, counter_account text, transactions bigint, amount numeric)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  c_few constant bigint := 1000;
begin
  return query select s.transaction_type, s.direction, wallet.group_counter_account(s.counter_account),
      sum(s.sign)::bigint, sum(s.sign * s.amount)
    from (
      select t.transaction_type, t.direction::text as direction, t.counter_account, t.amount, 1 as sign
        from wallet.wallet_transactions t
        where p_last - p_version <= c_few and t.wallet_id = p_wallet_id and t.wallet_version > p_version
          and t.wallet_version <= p_last and t.effective_at <> t.created_at and t.effective_at <= p_moment
      union all
      select t.transaction_type, t.direction::text, t.counter_account, t.amount, 1
        from wallet.list_shift_lengths() b cross join lateral (select * from wallet.wallet_transactions e
          where e.wallet_id = p_wallet_id and wallet.find_shift(e.created_at, e.effective_at) = b.shift
            and e.effective_at <> e.created_at and e.effective_at <= p_moment
            and e.effective_at >= p_moment - b.longest) t
        where p_last - p_version > c_few and b.shift > 0
          and t.wallet_version + 0 > p_version and t.wallet_version + 0 <= p_last
      union all
      select t.transaction_type, t.direction::text, t.counter_account, t.amount, -1
        from wallet.wallet_transactions t
        where p_version <= c_few and t.wallet_id = p_wallet_id and t.wallet_version <= p_version
          and t.effective_at <> t.created_at and t.effective_at > p_moment
      union all
      select t.transaction_type, t.direction::text, t.counter_account, t.amount, -1
        from wallet.list_shift_lengths() b cross join lateral (select * from wallet.wallet_transactions e
          where e.wallet_id = p_wallet_id and wallet.find_shift(e.created_at, e.effective_at) = b.shift
            and e.effective_at <> e.created_at and e.effective_at > p_moment
            and e.effective_at <= p_moment + b.longest) t
        where p_version > c_few and b.shift < 0 and t.wallet_version + 0 <= p_version
    ) s
    group by 1, 2, 3;
end $$;

-- The length of the shift between an entry's two moments: n, if it was entered less than 4^n s late and not less than 4^(n-1) s; the
-- same below zero, if it was entered ahead. 1 is also for what is shorter, 17 for what is longer (4^16 s are 136 years). The index
-- wallet_transactions_shift has this value: never change it.
create or replace function wallet.find_shift(p_created_at timestamptz, p_effective_at timestamptz) returns integer
language sql immutable as $$
  select case when p_effective_at <= p_created_at then 1 else -1 end
    * (1 + width_bucket(abs(extract(epoch from p_created_at - p_effective_at)),
      '{4,16,64,256,1024,4096,16384,65536,262144,1048576,4194304,16777216,67108864,268435456,1073741824,4294967296}'::numeric[]))
$$;

-- Each value of find_shift, and how long such a shift can be.
create or replace function wallet.list_shift_lengths() returns table (shift integer, longest interval)
language sql immutable rows 34 as $$
  select s.sign * n, case when n <= 16 then make_interval(secs => 4::double precision ^ n) else interval '4000 years' end
  from (values (1), (-1)) s (sign), generate_series(1, 17) n
$$;
