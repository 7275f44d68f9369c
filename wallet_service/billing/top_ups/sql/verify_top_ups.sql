-- Compares top-ups with the ledger, in one snapshot: p_limit top-ups after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_top_ups(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select t.* from billing.top_ups t where p_after is null or t.top_up_id > p_after order by t.top_up_id limit least(p_limit, 10000)
  ), seen as materialized (
    select p.*, e.wallet_id as entry_wallet_id, e.transaction_type, e.amount as deposited, e.counter_account,
      exists (select from wallet.wallet_transactions o where o.transaction_id = p.transaction_id and o.leg > 0) as has_others
    from page p left join wallet.wallet_transactions e on e.transaction_id = p.transaction_id and e.leg = 0
  ), faults as (
    select s.top_up_id, f.name from seen s, lateral (values
      ('top-up deposits', s.state = 'charged' or (s.entry_wallet_id is not null) = (s.state in ('completed', 'refunded'))),
      ('top-up amounts', s.entry_wallet_id is null
        or not s.has_others and (s.entry_wallet_id, s.transaction_type, s.deposited, s.counter_account)
          = (s.wallet_id, 'deposit', s.amount, 'external:top_ups'))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.top_up_id) from page p order by p.top_up_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', f.top_up_id)), '[]') from faults f)
  )::text);
end $$;

-- Compares the rules of p_limit wallets after p_after with the wallets. Returns {checked, next, faults}.
create or replace function wallet_api.verify_top_up_rules(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select r.wallet_id, r.is_set, r.paused_until, w.marks, w.due_at, w.keeping
    from billing.top_up_rules r join wallet.wallets w on w.wallet_id = r.wallet_id
    where p_after is null or r.wallet_id > p_after order by r.wallet_id limit least(p_limit, 10000)
  ), faults as (
    select p.wallet_id, f.name from page p, lateral (values
      ('top-up marks', ((p.marks & 16) <> 0) = p.is_set and p.keeping = 'operating'),
      ('top-up pauses', p.paused_until is null or p.paused_until = 'infinity' or p.due_at <= p.paused_until)
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
