-- Compares the states of alerts with the balances, in one snapshot: those of p_limit wallets after p_after. Returns
-- {checked, next, faults}. What is due and was not settled yet is in neither.
create or replace function wallet_api.verify_alerts(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select w.wallet_id, w.marks, w.balance - w.locked_balance as available, c.exponent
    from (select distinct l.wallet_id from billing.alerts l where p_after is null or l.wallet_id > p_after
      order by l.wallet_id limit least(p_limit, 1000)) s
      join wallet.wallets w on w.wallet_id = s.wallet_id join wallet.currencies c on c.code = w.currency
  ), seen as materialized (
    select p.wallet_id, l as alert, billing.place_alert(l, p.exponent, p.available) as placed
    from page p join billing.alerts l on l.wallet_id = p.wallet_id
  ), faults as (
    select s.wallet_id, f.name from seen s, lateral (values
      ('alert states', (s.alert).state = (s.placed).state),
      ('alert ranges', (s.alert).state <> (s.placed).state or (s.alert).quiet_above = (s.placed).quiet_above
        and (s.alert).quiet_below = (s.placed).quiet_below)
    ) as f (name, holds) where f.holds is not true
    union all
    select p.wallet_id, 'alert marks' from page p where (p.marks & 8) = 0
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
