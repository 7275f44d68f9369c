-- Checks holds, in one snapshot: p_limit of them after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_holds(p_after uuid default null, p_limit integer default 200) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select h.* from billing.holds h where p_after is null or h.hold_id > p_after order by h.hold_id limit least(p_limit, 1000)
  ), seen as materialized (
    select p.*, c.captures, c.beyond, c.posted
    from page p, lateral (select coalesce(sum(k.amount), 0) as captures, coalesce(sum(k.overage), 0) as beyond, coalesce(sum(
        (select t.amount from wallet.wallet_transactions t where t.transaction_id = k.transaction_id and t.leg = 0
          and t.direction = 'debit' and t.wallet_id = p.wallet_id and t.metadata ->> 'hold_id' = p.hold_id::text)), 0) as posted
      from billing.hold_captures k where k.hold_id = p.hold_id) c
  ), faults as (
    select s.hold_id, f.name from seen s, lateral (values
      ('hold sums', case s.state when 'open' then s.captured < s.authorised and s.voided = 0 and s.expired = 0
        else s.captured + s.voided + s.expired = s.authorised end),
      ('hold captures', s.captured + s.overage = s.captures and s.overage = s.beyond and s.captures = s.posted),
      ('hold grants', (select coalesce(sum(a.amount), 0) from unnest(s.grant_amounts) a (amount))
        <= s.authorised - s.captured - s.voided - s.expired)
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.hold_id) from seen s order by s.hold_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', f.hold_id)), '[]') from faults f)
  )::text);
end $$;

-- Compares wallets with their open holds, in one snapshot: p_limit wallets after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_locked(p_after uuid default null, p_limit integer default 500) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select w.wallet_id, w.locked_balance, w.marks, w.due_at from wallet.wallets w
    where p_after is null or w.wallet_id > p_after order by w.wallet_id limit least(p_limit, 1000)
  ), seen as materialized (
    select p.*, o.holds, o.kept, o.next_end from page p, lateral (
      select count(*) as holds, coalesce(sum(h.authorised - h.captured), 0) as kept, min(h.expires_at) as next_end
      from billing.holds h where h.wallet_id = p.wallet_id and h.state = 'open') o
  ), faults as (
    select s.wallet_id, f.name from seen s, lateral (values
      ('locked balance', s.locked_balance = s.kept),
      ('hold marks', ((s.marks & 2) <> 0) = (s.holds > 0) and (s.next_end is null or s.due_at <= s.next_end)),
      ('reserved grants', not exists (
        select from (select g.grant_id, g.reserved from billing.grants g
            where g.wallet_id = s.wallet_id and g.is_live and g.reserved > 0) g
          full join (select r.grant_id, sum(r.amount) as amount from billing.holds h,
              unnest(h.grant_ids, h.grant_amounts) r (grant_id, amount)
            where h.wallet_id = s.wallet_id and h.state = 'open' group by r.grant_id) r on r.grant_id = g.grant_id
          where g.reserved is distinct from r.amount))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.wallet_id) from seen s order by s.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
