-- The service at a glance: wallets by currency, keeping and status, their balances, the number of ledger rows.
create or replace function wallet_api.read_service_stats() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
begin
  return (
    with counted as materialized (
      select w.currency, w.keeping, count(*) as wallets, count(*) filter (where w.status = 'active') as active,
        count(*) filter (where w.status = 'frozen') as frozen, count(*) filter (where w.status = 'closed') as closed,
        sum(w.balance) as balance, sum(w.locked_balance) as locked_balance, sum(w.last_entry) as entries
      from wallet.wallets w group by w.currency, w.keeping
    )
    select row_to_json(v)::text from (select
      wallet.format_time(wallet.clock()) as at,
      coalesce(sum(n.wallets), 0) as wallets,
      coalesce(sum(n.entries), 0) as ledger_entries,
      coalesce(json_agg((select i from (select n.currency, n.keeping, n.wallets, n.active, n.frozen, n.closed,
        wallet.format_amount(n.balance, c.exponent) as balance,
        wallet.format_amount(n.locked_balance, c.exponent) as locked_balance, n.entries as ledger_entries) i)
        order by n.currency, n.keeping desc), '[]') as currencies
      from counted n join wallet.currencies c on c.code = n.currency) v);
end $$;
