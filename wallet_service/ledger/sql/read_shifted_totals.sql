-- What separates a wallet's totals at p_moment by effective time from those by posting time (versions 1 … p_version): rows entered
-- later that were effective by then are added, rows entered by then that were effective later are taken away. By type, direction
-- and counter account, as read_totals_at. p_last is the wallet's newest version. Only rows whose two moments differ are read: of few
-- versions by the primary key, otherwise by the partial index wallet_transactions_effective. "+ 0" keeps the planner from the
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
        from wallet.wallet_transactions t
        where p_last - p_version > c_few and t.wallet_id = p_wallet_id and t.effective_at <> t.created_at
          and t.effective_at <= p_moment and t.wallet_version + 0 > p_version and t.wallet_version + 0 <= p_last
      union all
      select t.transaction_type, t.direction::text, t.counter_account, t.amount, -1
        from wallet.wallet_transactions t
        where p_version <= c_few and t.wallet_id = p_wallet_id and t.wallet_version <= p_version
          and t.effective_at <> t.created_at and t.effective_at > p_moment
      union all
      select t.transaction_type, t.direction::text, t.counter_account, t.amount, -1
        from wallet.wallet_transactions t
        where p_version > c_few and t.wallet_id = p_wallet_id and t.effective_at <> t.created_at
          and t.effective_at > p_moment and t.wallet_version + 0 <= p_version
    ) s
    group by 1, 2, 3;
end $$;
