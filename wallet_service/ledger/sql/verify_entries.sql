-- Compares each ledger row with the one before it in its wallet, and with the wallet: p_limit rows after a place. Rows never
-- change, so several calls may read one wallet. Returns {checked, next, faults: [{check, wallet_id}]}.
create or replace function wallet_api.verify_entries(p_after_wallet uuid default null, p_after_version bigint default 0,
  p_limit integer default 5000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    -- With the last row of the previous page, for comparison.
    select t.* from wallet.wallet_transactions t
    where (t.wallet_id, t.wallet_version)
      >= (coalesce(p_after_wallet, '00000000-0000-0000-0000-000000000000'), p_after_version)
    order by t.wallet_id, t.wallet_version limit least(p_limit, 20000) + 1
  ), linked as (
    select p.*, lag(p.wallet_version, 1, 0::bigint) over earlier as version_before,
      lag(p.balance_after, 1, 0::numeric(38, 18)) over earlier as left_before,
      lag(p.created_at, 1, '-infinity'::timestamptz) over earlier as time_before
    from page p window earlier as (partition by p.wallet_id order by p.wallet_version)
  ), seen as materialized (
    select l.* from linked l
    where p_after_wallet is null or (l.wallet_id, l.wallet_version) > (p_after_wallet, p_after_version)
  ), faults as (
    select distinct s.wallet_id, f.name from seen s
    left join wallet.wallets w on w.wallet_id = s.wallet_id
    left join wallet.currencies c on c.code = s.currency, lateral (values
      ('versions', s.wallet_version = s.version_before + 1),
      ('chain', s.balance_before = s.left_before
        and s.balance_after = s.balance_before + case s.direction when 'credit' then s.amount else -s.amount end),
      ('time', s.created_at >= s.time_before),
      ('amounts', s.amount > 0 and min_scale(s.amount) <= c.exponent),
      ('owner', s.user_id = w.user_id and s.currency = w.currency)
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after_wallet', s.wallet_id, 'after_version', s.wallet_version)
      from seen s order by s.wallet_id desc, s.wallet_version desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
