-- Why the balance of a wallet is what it is, now or at p_at: the balance at p_from (by default the begin), the movements since, grants
-- with what is left of them, open holds and what they reserve, limits and what is left of those, who posted last, and who changed the wallet's own members last. What is
-- due takes effect first. p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.read_explanation(p_wallet_id uuid, p_viewer text default null, p_from timestamptz default null,
  p_at timestamptz default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_wallet wallet.wallets;
begin
  perform wallet.require_read_committed();
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.wallet_id is null or v_wallet.user_id <> p_viewer then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  elsif p_at >= wallet.clock() then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/at', 'must be in the past', 'query'));
  elsif p_from >= coalesce(p_at, wallet.clock()) then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/from', 'must be before the moment that is explained', 'query'));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  if p_at >= v_wallet.last_posted_at then
    perform wallet.await_postings(array[p_wallet_id]);
  end if;
  return billing.build_explanation(p_wallet_id, p_viewer, p_from, p_at, wallet.clock());    -- one statement, so one snapshot
end $$;

-- The explanation, read in the snapshot of the statement that calls it.
create or replace function billing.build_explanation(p_wallet_id uuid, p_viewer text, p_from timestamptz, p_at timestamptz,
  p_now timestamptz) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets;
  v_exponent integer;
  v_first bigint := 0;
  v_last bigint;
  v_balance numeric;
  v_opening numeric := 0;
  v_granted numeric;
begin
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  select c.exponent into v_exponent from wallet.currencies c where c.code = v_wallet.currency;
  v_last := case when p_at is null then v_wallet.last_entry else wallet.find_version_at(p_wallet_id, p_at, v_wallet.last_entry) end;
  v_balance := billing.read_balance_after(p_wallet_id, v_last);
  if p_from is not null then
    -- What was posted before p_from; find_version_at counts the moment itself.
    v_first := wallet.find_version_at(p_wallet_id, p_from - interval '1 microsecond', v_last);
    v_opening := billing.read_balance_after(p_wallet_id, v_first);
  end if;
  v_granted := billing.sum_granted(p_wallet_id, p_at);
  return (select row_to_json(v)::text from (select
    p_wallet_id as wallet_id,
    v_wallet.user_id as user_id,
    v_wallet.currency as currency,
    v_wallet.status as status,
    wallet.format_time(coalesce(p_at, p_now)) as at,
    p_at is null as is_now,
    case when p_from is not null then wallet.format_time(p_from) end as "from",
    v_last as wallet_version,
    wallet.format_amount(v_opening, v_exponent) as opening_balance,
    billing.explain_movements(p_wallet_id, v_first, v_last, v_wallet.last_entry, v_exponent) as movements,
    wallet.format_amount(v_balance, v_exponent) as balance,
    wallet.format_amount(v_granted, v_exponent) as granted,
    wallet.format_amount(v_balance - v_granted, v_exponent) as not_granted,
    billing.explain_grants(p_wallet_id, p_at, p_now, v_exponent) as grants,
    case when p_at is null then wallet.format_amount(v_wallet.locked_balance, v_exponent) end as locked_balance,
    case when p_at is null then wallet.format_amount(v_wallet.balance - v_wallet.locked_balance, v_exponent) end as available_balance,
    case when p_at is null then billing.explain_holds(p_wallet_id, v_exponent) end as holds,
    billing.explain_next_expiry(p_wallet_id, p_at, p_now, v_exponent) as next_expiry,
    case when p_at is null then
      billing.format_limits(v_wallet, greatest(p_now, v_wallet.last_posted_at))::json -> 'limits' end as limits,
    billing.explain_changes(p_wallet_id, p_viewer, v_last, coalesce(p_at, p_now), v_exponent) as last_changes,
    billing.explain_updates(p_wallet_id, p_viewer, coalesce(p_at, p_now)) as last_updates) v);
end $$;

-- A wallet's balance after its version; 0 before the first.
create or replace function billing.read_balance_after(p_wallet_id uuid, p_version bigint) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select t.balance_after from wallet.wallet_transactions t
    where t.wallet_id = p_wallet_id and t.wallet_version = p_version), 0);
end $$;

-- The sums of a wallet's entries after p_first up to p_last, by type, direction and counter account, from checkpoints.
create or replace function billing.explain_movements(p_wallet_id uuid, p_first bigint, p_last bigint, p_newest bigint,
  p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg((select i from (select m.transaction_type, m.direction, m.counter_account,
      m.transactions, wallet.format_amount(m.amount, p_exponent) as amount) i)
      order by m.direction, m.transaction_type, m.counter_account), '[]')
    from (
      select s.transaction_type, s.direction, s.counter_account, sum(s.transactions) as transactions, sum(s.amount) as amount from (
        select t.transaction_type, t.direction, t.counter_account, t.transactions, t.amount
          from wallet.read_totals_at(p_wallet_id, p_last, p_newest) t
        union all
        select t.transaction_type, t.direction, t.counter_account, -t.transactions, -t.amount
          from wallet.read_totals_at(p_wallet_id, p_first, p_newest) t where p_first > 0) s
      group by 1, 2, 3 having sum(s.transactions) > 0) m);
end $$;

-- What is left of a wallet's grants, now or at p_at. Now: from those that have something left. For the past: from all that there were.
create or replace function billing.sum_granted(p_wallet_id uuid, p_at timestamptz) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(case when p_at is null
    then (select sum(g.remaining) from billing.grants g
      where g.wallet_id = p_wallet_id and g.is_live and g.transaction_id is not null)
    else (select sum(billing.read_remaining_at(g, p_at)) from billing.grants g
      where g.wallet_id = p_wallet_id and g.transaction_id is not null and g.created_at <= p_at) end, 0);
end $$;

-- The grants of a wallet that have something left, or begin later, in the order in which debits take from them; at most 100.
create or replace function billing.explain_grants(p_wallet_id uuid, p_at timestamptz, p_now timestamptz, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg((select i from (select g.grant_id, g.source, g.priority,
      case when g.remaining_then = 0 then 'scheduled' else 'active' end as state,
      wallet.format_amount(g.amount, p_exponent) as amount,
      wallet.format_amount(g.remaining_then, p_exponent) as remaining,
      case when p_at is null then wallet.format_amount(g.reserved, p_exponent) end as reserved,
      wallet.format_time(g.effective_at) as effective_at,
      case when g.expires_at < 'infinity' then wallet.format_time(g.expires_at) end as expires_at,
      g.pays, g.is_transferable) i) order by g.priority, g.expires_at, g.effective_at, g.grant_id), '[]')
    from (
      select (t.g).*, t.remaining_then from billing.list_explained_grants(p_wallet_id, p_at, p_now) t
      order by (t.g).priority, (t.g).expires_at, (t.g).effective_at, (t.g).grant_id limit 100) g);
end $$;

-- Those grants, with what was left of each, in no order. Now: read from the indexes of grants that have something left, and of those
-- that have not begun; so what was used up or has ended costs nothing. For the past: from all that there were.
create or replace function billing.list_explained_grants(p_wallet_id uuid, p_at timestamptz, p_now timestamptz)
returns table (g billing.grants, remaining_then numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_at is null then
    return query
      (select l, l.remaining from billing.grants l where l.wallet_id = p_wallet_id and l.is_live and l.transaction_id is not null
        order by l.priority, l.expires_at, l.effective_at, l.grant_id limit 100)
      union all
      (select l, 0::numeric from billing.grants l
        where l.wallet_id = p_wallet_id and l.standing = 'scheduled' and l.effective_at > p_now
        order by l.priority, l.expires_at, l.effective_at, l.grant_id limit 100);
  else
    return query
      select l, r.remaining_then from billing.grants l, lateral (select case when l.transaction_id is null then 0
        else billing.read_remaining_at(l, p_at) end as remaining_then) r
      where l.wallet_id = p_wallet_id and l.created_at <= p_at and (r.remaining_then > 0 or l.effective_at > p_at and l.ended is null);
  end if;
end $$;

-- The open holds of a wallet with what they keep and reserve of grants, in the order in which they end; at most 100.
create or replace function billing.explain_holds(p_wallet_id uuid, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg((select i from (select h.hold_id, h.counter_account,
      wallet.format_amount(h.authorised, p_exponent) as authorised,
      wallet.format_amount(h.captured, p_exponent) as captured,
      wallet.format_amount(billing.find_rest(h), p_exponent) as remaining,
      wallet.format_time(h.expires_at) as expires_at, h.reference,
      (select coalesce(json_agg((select u from (select r.grant_id, wallet.format_amount(r.amount, p_exponent) as amount) u)
        order by r.place), '[]') from unnest(h.grant_ids, h.grant_amounts) with ordinality r (grant_id, amount, place)) as grants) i)
      order by h.expires_at, h.hold_id), '[]')
    from (select h.* from billing.holds h where h.wallet_id = p_wallet_id and h.state = 'open'
      order by h.expires_at, h.hold_id limit 100) h);
end $$;

-- What expires next: the grant that ends first and what is left of it; null if none ends.
create or replace function billing.explain_next_expiry(p_wallet_id uuid, p_at timestamptz, p_now timestamptz, p_exponent integer)
returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_next billing.grants;
begin
  if p_at is null then
    select * into v_next from billing.grants g
      where g.wallet_id = p_wallet_id and g.is_live and g.transaction_id is not null and g.expires_at > p_now and g.expires_at < 'infinity'
      order by g.expires_at, g.grant_id limit 1;
  else
    select * into v_next from billing.grants g
      where g.wallet_id = p_wallet_id and g.transaction_id is not null and g.created_at <= p_at and g.expires_at > p_at
        and g.expires_at < 'infinity' and billing.read_remaining_at(g, p_at) > 0
      order by g.expires_at, g.grant_id limit 1;
  end if;
  if v_next.grant_id is null then
    return null;
  end if;
  return (select row_to_json(v) from (select wallet.format_time(v_next.expires_at) as at, v_next.grant_id,
    wallet.format_amount(case when p_at is null then v_next.remaining else billing.read_remaining_at(v_next, p_at) end, p_exponent)
      as amount) v);
end $$;

-- The last ten changes of a wallet up to p_last, the newest first: its entries, by which client.
create or replace function billing.explain_changes(p_wallet_id uuid, p_viewer text, p_last bigint, p_until timestamptz,
  p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg((select i from (select wallet.format_time(t.created_at) as at, t.wallet_version, t.transaction_id,
      t.transaction_type, t.direction, wallet.format_amount(t.amount, p_exponent) as amount, t.counter_account,
      case when p_viewer is null or t.client_id not like 'user:%' or substr(t.client_id, strpos(t.client_id, '|') + 1) = p_viewer
        then t.client_id end as client_id,
      wallet.format_amount(t.balance_after, p_exponent) as balance_after,
      (select coalesce(json_agg((select u from (select u.grant_id, wallet.format_amount(u.amount, p_exponent) as amount) u)
        order by u.place), '[]') from billing.grant_usages u
        where u.transaction_id = t.transaction_id and u.wallet_id = t.wallet_id) as grants) i) order by t.wallet_version desc), '[]')
    from (select t.* from wallet.wallet_transactions t where t.wallet_id = p_wallet_id and t.wallet_version <= p_last
      order by t.wallet_version desc limit 10) t);
end $$;

-- The last ten changes of what a wallet is set to (its status, credit limit, metadata, limits) up to p_until, the newest first, from the
-- audit trail as far back as that is kept. A user sees only its own name among those who made them.
create or replace function billing.explain_updates(p_wallet_id uuid, p_viewer text, p_until timestamptz) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg((select i from (select wallet.format_time(a.recorded_at) as at, a.action,
      case when p_viewer is null or a.actor = 'user:' || p_viewer then a.actor end as actor, a.changed) i)
      order by a.recorded_at desc, a.sequence desc), '[]')
    from (select a.* from platform.audit_entries a where a.object_id = p_wallet_id::text and a.recorded_at <= p_until
        and a.event_id is not null
      order by a.recorded_at desc, a.sequence desc limit 10) a);
end $$;
