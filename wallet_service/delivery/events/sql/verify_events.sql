-- Checks p_limit events after a number: their numbers, ledger rows and order within their wallets. Returns {checked, next, faults}.
create or replace function wallet_api.verify_events(p_after bigint default 0, p_limit integer default 5000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_state delivery.numbering;
  v_after bigint;
begin
  select * into v_state from delivery.numbering;
  v_after := greatest(p_after, v_state.oldest_number - 1);
  return (with page as materialized (
    select e.*, row_number() over (order by e.number) as place from (
      select e.number, e.numbered_at, e.wallet_id, e.wallet_version, e.event_type from delivery.events e
      where e.number > v_after order by e.number limit least(p_limit, 20000)) e
  ), linked as (
    select p.*, coalesce(lag(p.wallet_version) over (partition by p.wallet_id, p.wallet_version is null order by p.number),
      (select b.wallet_version from delivery.events b where b.wallet_id = p.wallet_id and b.number <= v_after
        and b.wallet_version is not null order by b.number desc limit 1)) as version_before
    from page p
  ), faults as (
    select l.number, l.wallet_id, f.name from linked l, lateral (values
      ('numbers', l.number = v_after + l.place and l.number <= v_state.last_number),
      ('event order', l.wallet_version is null or l.version_before is null or l.wallet_version = l.version_before + 1),
      ('event rows', case when l.wallet_version is null then l.event_type is not null else exists (
        select from wallet.wallet_transactions t where t.wallet_id = l.wallet_id and t.wallet_version = l.wallet_version) end)
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', max(p.number)) from page p having count(*) > 0),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', 'event ' || f.number
      || coalesce(', wallet ' || f.wallet_id, ''))), '[]') from faults f)
  )::text);
end $$;

-- Checks p_limit wallets after one: the newest ledger row of each has its event, or waits in the outbox for its number, at most a
-- day. The events of a wallet follow each other without a gap (verify_events), so then each row has one. Returns {checked, next,
-- faults}.
create or replace function wallet_api.verify_event_wallets(p_after uuid default null, p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select w.wallet_id, w.last_entry, w.last_posted_at from wallet.wallets w
    where p_after is null or w.wallet_id > p_after order by w.wallet_id limit least(p_limit, 10000)
  ), due as materialized (
    select p.wallet_id, p.last_entry, (select e.wallet_version from delivery.events e
      where e.wallet_id = p.wallet_id and e.wallet_version is not null order by e.number desc limit 1) as numbered
    from page p, delivery.numbering n where p.last_entry > 0 and p.last_posted_at >= n.complete_since
  ), behind as materialized (
    select d.* from due d where d.numbered is distinct from d.last_entry
  ), waiting as materialized (
    select u.wallet_id, min(u.wallet_version) as first, max(u.wallet_version) as last, count(*) as versions,
      min(delivery.find_outbox_time(o)) as since
    from platform.outbox o cross join lateral unnest(o.wallet_ids, o.wallet_versions) as u (wallet_id, wallet_version)
    where exists (select from behind) and u.wallet_id in (select b.wallet_id from behind b) group by u.wallet_id
  ), faults as (
    select b.wallet_id, f.name from behind b left join waiting w on w.wallet_id = b.wallet_id, lateral (values
      ('events', w.last = b.last_entry and w.versions = w.last - w.first + 1 and w.first = coalesce(b.numbered + 1, w.first)),
      ('outbox', w.since is null or w.since > wallet.clock() - interval '1 day')
    ) as f (name, holds) where f.holds is not true
  )
  select json_build_object(
    'checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', f.wallet_id)), '[]') from faults f)
  )::text);
end $$;
