-- Compares grants with the ledger, in one snapshot: p_limit of them after p_after. With these rules, what remains of grants and what is
-- not granted are the balance after every entry. Returns {checked, next, faults}.
create or replace function wallet_api.verify_grants(p_after uuid default null, p_limit integer default 500) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select g as row, g.* from billing.grants g
    where p_after is null or g.grant_id > p_after order by g.grant_id limit least(p_limit, 2000)
  ), owners as materialized (
    select w.wallet_id, w.marks, w.due_at, w.locked_balance,
      (select coalesce(sum(l.reserved), 0) from billing.grants l where l.wallet_id = w.wallet_id and l.is_live) as reserved
    from wallet.wallets w where w.wallet_id in (select p.wallet_id from page p)
  ), faults as (
    select p.wallet_id, f.name from page p left join owners o on o.wallet_id = p.wallet_id, lateral (values
      ('grant figures', billing.adds_up(p.row)),
      ('grant postings', billing.is_posted(p.row)),
      ('grant entries', not exists (select from billing.list_parts(p.row) e where e.amount > e.posted or e.posted is null)),
      ('grant reserves', o.reserved <= o.locked_balance),
      ('grant marks', p.standing not in ('active', 'scheduled') or (o.marks & 1) <> 0),
      ('grant times', case p.standing when 'scheduled' then o.due_at <= p.effective_at
        when 'active' then o.due_at <= case when p.remaining > p.reserved then least(p.expires_at, p.notice_at) else p.notice_at end
        else true end)
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.grant_id) from page p order by p.grant_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;

-- Whether the figures of a grant are the sums of what its postings did.
create or replace function billing.adds_up(p_grant billing.grants) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_used numeric;
  v_back numeric;
  v_moved record;
begin
  select coalesce(sum(u.amount - u.returned + u.moved), 0), coalesce(sum(u.returned - u.moved), 0) into v_used, v_back
    from billing.grant_usages u where u.grant_id = p_grant.grant_id;
  select coalesce(sum(m.amount) filter (where m.kind = 'returned'), 0) as returned,
    coalesce(sum(m.amount) filter (where m.kind = 'overdrawn'), 0) as overdrawn,
    coalesce(sum(m.amount) filter (where m.kind = 'expired'), 0) as expired,
    coalesce(sum(m.amount) filter (where m.kind = 'voided'), 0) as voided into v_moved
    from billing.grant_movements m where m.grant_id = p_grant.grant_id;
  return (p_grant.used, v_back, p_grant.overdrawn, p_grant.expired) = (v_used, v_moved.returned, v_moved.overdrawn, v_moved.expired)
    and p_grant.voided = v_moved.voided + case when p_grant.transaction_id is null and p_grant.ended = 'voided' then p_grant.amount else 0 end
    and p_grant.amount = p_grant.remaining + p_grant.used + p_grant.overdrawn + p_grant.expired + p_grant.voided;
end $$;

-- Whether a grant that is effective was posted, and one that is not has done nothing.
create or replace function billing.is_posted(p_grant billing.grants) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_grant.transaction_id is null
    then p_grant.amount = p_grant.remaining + case when p_grant.ended = 'voided' then p_grant.voided else 0 end
    else exists (select from wallet.wallet_transactions t where t.transaction_id = p_grant.transaction_id
      and t.wallet_id = p_grant.wallet_id and t.direction = 'credit' and t.counter_account = p_grant.counter_account
      and case when t.transaction_type = 'grant' then t.amount = p_grant.amount else t.amount >= p_grant.amount end) end;
end $$;

-- For each posting that took from a grant or gave back to it: how much, over all grants of the wallet, and the amount of its entry
-- (posted; null: it has none there, or one in the other direction).
create or replace function billing.list_parts(p_grant billing.grants) returns table (amount numeric, posted numeric)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
    with parts as (
      select u.transaction_id, 'debit' as direction from billing.grant_usages u where u.grant_id = p_grant.grant_id
      union
      select m.transaction_id, case m.kind when 'returned' then 'credit' else 'debit' end
        from billing.grant_movements m where m.grant_id = p_grant.grant_id and m.transaction_id is not null
    )
    select (select coalesce(sum(u.amount), 0) from billing.grant_usages u
          where u.transaction_id = p.transaction_id and u.wallet_id = p_grant.wallet_id and p.direction = 'debit')
        + (select coalesce(sum(m.amount), 0) from billing.grant_movements m
          where m.grant_id = p_grant.grant_id and m.transaction_id = p.transaction_id),
      (select t.amount::numeric from wallet.wallet_transactions t
        where t.transaction_id = p.transaction_id and t.wallet_id = p_grant.wallet_id and t.direction = p.direction)
    from parts p;
end $$;

-- Checks schedules: p_limit of them after p_after. Returns {checked, next, faults}.
create or replace function wallet_api.verify_grant_schedules(p_after uuid default null, p_limit integer default 1000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select s.* from billing.grant_schedules s
    where p_after is null or s.schedule_id > p_after order by s.schedule_id limit least(p_limit, 10000)
  ), faults as (
    select p.wallet_id, f.name from page p left join wallet.wallets w on w.wallet_id = p.wallet_id, lateral (values
      ('schedule wallets', w.status <> 'closed' and (p.next_at >= p.ends_at or (w.marks & 1) <> 0 and w.due_at <= p.next_at)),
      ('schedule periods', p.next_at = billing.find_next_period(p, p.next_at - interval '1 microsecond')
        and not exists (select from billing.grants g where g.wallet_id = p.wallet_id and g.source = p.source
          and g.schedule_id = p.schedule_id and g.effective_at >= p.next_at))
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.schedule_id) from page p order by p.schedule_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
