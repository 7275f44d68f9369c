-- Compares wallets with the end of their ledger, in one snapshot: p_limit wallets after p_after, at most 999 rows of each.
-- Returns {checked, next, currencies: {code: [sum of balances, sum of entries]}, faults: [{check, wallet_id}]}.
create or replace function wallet_api.verify_wallets(p_after uuid default null, p_limit integer default 200) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select w.* from wallet.wallets w
    where p_after is null or w.wallet_id > p_after order by w.wallet_id limit least(p_limit, 1000)
  ), seen as materialized (
    select p.*, l.wallet_version as newest, l.balance_after, l.created_at as newest_at, k.version as checkpoint,
      coalesce(k.net, 0) + coalesce((
        select sum(case t.direction when 'credit' then t.amount else -t.amount end) from wallet.wallet_transactions t
        where t.wallet_id = p.wallet_id and t.wallet_version > coalesce(k.version, 0)), 0) as entries
    from page p
    left join lateral (
      select t.wallet_version, t.balance_after, t.created_at from wallet.wallet_transactions t
      where t.wallet_id = p.wallet_id order by t.wallet_version desc limit 1) l on true
    left join lateral (
      select c.wallet_version as version, sum(case c.direction when 'credit' then c.amount else -c.amount end) as net
      from wallet.checkpoints c where c.wallet_id = p.wallet_id
        and c.wallet_version = (select max(m.wallet_version) from wallet.checkpoints m where m.wallet_id = p.wallet_id)
      group by c.wallet_version) k on true
  ), faults as (
    select s.wallet_id, f.name from seen s, lateral (values
      ('last entry', s.last_entry = coalesce(s.newest, 0)),
      ('last time', s.last_posted_at = coalesce(s.newest_at, '-infinity')),
      ('balance', s.balance = coalesce(s.balance_after, 0)),
      ('available', s.keeping = 'mirrored' or s.balance - s.locked_balance >= -s.credit_limit),
      ('checkpoints', coalesce(s.checkpoint, 0) = s.last_entry / 1000 * 1000),
      ('totals', s.balance = s.entries),
      ('primary', not s.is_primary or not exists (select from wallet.wallets o where o.user_id = s.user_id
        and o.currency = s.currency and o.keeping = s.keeping and o.is_primary and o.wallet_id <> s.wallet_id))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.wallet_id) from seen s order by s.wallet_id desc limit 1),
    'currencies', (select coalesce(json_object_agg(c.currency, json_build_array(c.balances, c.entries)), '{}') from (
      select s.currency, sum(s.balance)::text as balances, sum(s.entries)::text as entries from seen s group by 1) c),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
