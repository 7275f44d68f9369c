-- Compares the counters of limits with the ledger, in one snapshot: those of p_limit wallets after p_after. Returns
-- {checked, next, faults}.
create or replace function wallet_api.verify_limits(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select s.wallet_id, w.marks, w.last_entry from billing.limit_sets s join wallet.wallets w on w.wallet_id = s.wallet_id
    where p_after is null or s.wallet_id > p_after order by s.wallet_id limit least(p_limit, 1000)
  ), seen as materialized (
    select l.*, p.last_entry from page p join billing.spending_limits l on l.wallet_id = p.wallet_id
  ), faults as (
    select s.wallet_id, f.name from seen s, lateral (values
      ('limit counters', s.used = case s.period when 'transaction' then 0
        when 'rolling' then billing.sum_spent(s.wallet_id, s.counter_account, s.tail, s.last_entry, s.last_entry)
        else billing.sum_spent(s.wallet_id, s.counter_account,
          wallet.find_version_at(s.wallet_id, s.starts_at - interval '1 microsecond', s.last_entry),
          wallet.find_version_at(s.wallet_id, s.ends_at - interval '1 microsecond', s.last_entry), s.last_entry) end),
      ('limit periods', case when s.period = 'rolling'
        then s.tail <= s.last_entry and not exists (select from wallet.wallet_transactions t where t.wallet_id = s.wallet_id
            and (t.wallet_version = s.tail and t.created_at > s.starts_at
              or t.wallet_version = s.tail + 1 and s.used > 0 and t.created_at + make_interval(secs => s.window_s) < s.ends_at
                and billing.is_spending(t.transaction_type) and t.direction = 'debit'
                and billing.is_limited(s.counter_account, t.counter_account)))
        else s.starts_at < s.ends_at end)
    ) as f (name, holds) where f.holds is not true
    union all
    select p.wallet_id, 'limit marks' from page p
    where ((p.marks & 4) <> 0) <> exists (select from billing.spending_limits l where l.wallet_id = p.wallet_id)
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
