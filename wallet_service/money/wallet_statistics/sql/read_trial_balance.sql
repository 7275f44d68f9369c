-- The part of the trial balance of p_limit wallets after p_after, in the order of their ids: what the wallets hold, and with the
-- opposite sign what came from each counter account. It is read in one snapshot, so each part sums to zero by itself; only a
-- transfer between wallets of different parts that commits in between shows in the line of transfers.
create or replace function wallet_api.read_trial_balance(p_after uuid default null, p_limit integer default 500) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  return (
    with part as materialized (
      select w.wallet_id, w.currency, w.keeping, w.balance, w.last_entry from wallet.wallets w
      where p_after is null or w.wallet_id > p_after order by w.wallet_id limit p_limit
    ), lines as (
      select p.currency, case p.keeping when 'mirrored' then 'mirrored:wallets' else 'wallets' end as account,
        sum(p.balance) as balance
      from part p group by p.currency, p.keeping
      union all
      select p.currency, case when t.counter_account <> 'wallets' then t.counter_account
          when p.keeping = 'mirrored' then 'mirrored:transfers' else 'transfers' end,
        sum(case t.direction when 'debit' then t.amount else -t.amount end)
      from part p cross join lateral wallet.read_totals_at(p.wallet_id, p.last_entry, p.last_entry) t
      group by 1, 2
    )
    select row_to_json(v)::text from (select
      count(*) as wallets,
      (select p.wallet_id from part p order by p.wallet_id desc limit 1) as last,
      coalesce((select json_agg((select i from (select l.currency, l.account,
        wallet.format_amount(l.balance, c.exponent) as balance) i) order by l.currency, l.account)
        from lines l join wallet.currencies c on c.code = l.currency), '[]') as lines
      from part) v);
end $$;
