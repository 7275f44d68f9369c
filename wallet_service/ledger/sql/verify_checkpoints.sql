-- Compares checkpoints with the one before and the 1,000 rows since: p_limit of them after a place.
-- Returns {checked, next, faults: [{check, wallet_id}]}.
create or replace function wallet_api.verify_checkpoints(p_after_wallet uuid default null,
  p_after_version bigint default 0, p_limit integer default 20) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with seen as materialized (
    select distinct c.wallet_id, c.wallet_version from wallet.checkpoints c
    where (c.wallet_id, c.wallet_version)
      > (coalesce(p_after_wallet, '00000000-0000-0000-0000-000000000000'), p_after_version)
    order by c.wallet_id, c.wallet_version limit least(p_limit, 100)
  ), faults as (
    select distinct s.wallet_id from seen s
    where s.wallet_version % 1000 <> 0
      or (select json_agg(e order by e.transaction_type, e.direction, e.counter_account)::text from (
        select r.transaction_type, r.direction, r.counter_account, sum(r.transactions) as transactions,
          trim_scale(sum(r.amount)) as amount
        from (
          select c.transaction_type, c.direction, c.counter_account, c.transactions, c.amount from wallet.checkpoints c
            where c.wallet_id = s.wallet_id and c.wallet_version = s.wallet_version - 1000
          union all
          select t.transaction_type, t.direction, wallet.group_counter_account(t.counter_account), 1, t.amount
            from wallet.wallet_transactions t where t.wallet_id = s.wallet_id
            and t.wallet_version > s.wallet_version - 1000 and t.wallet_version <= s.wallet_version) r
        group by 1, 2, 3) e)
      is distinct from
      (select json_agg(e order by e.transaction_type, e.direction, e.counter_account)::text from (
        select c.transaction_type, c.direction, c.counter_account, c.transactions, trim_scale(c.amount) as amount
        from wallet.checkpoints c where c.wallet_id = s.wallet_id and c.wallet_version = s.wallet_version) e)
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after_wallet', s.wallet_id, 'after_version', s.wallet_version)
      from seen s order by s.wallet_id desc, s.wallet_version desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'checkpoints', 'wallet_id', f.wallet_id)), '[]')
      from faults f)
  )::text);
end $$;
