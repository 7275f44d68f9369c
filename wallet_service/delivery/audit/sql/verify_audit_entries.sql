-- Checks the audit trail: p_limit entries after a sequence. The event of a change has its number, or waits for it; once events were
-- removed by their retention, that is checked of entries which are newer than the oldest event, by an hour for clocks that were set
-- back. Returns {checked, next, faults: [{check, row}]}.
create or replace function wallet_api.verify_audit_entries(p_after bigint default 0, p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
begin
  return (with seen as materialized (
    select a.sequence, a.recorded_at, a.event_id, a.action, a.changed, a.before is null and a.after is null as is_read,
      a.before is not null and a.after is not null as has_both
    from platform.audit_entries a where a.sequence > p_after order by a.sequence limit least(p_limit, 10000)
  ), kept as materialized (
    select case n.oldest_number when 1 then '-infinity'
      else coalesce((select e.numbered_at from delivery.events e where e.number = n.oldest_number), n.numbered_at) end as since
    from delivery.numbering n
  ), faults as (
    select case
        when s.is_read <> (s.event_id is null) then 'audit event'
        when s.recorded_at > k.since + interval '1 hour' and s.event_id is not null
          and not exists (select from delivery.events e where e.event_id = s.event_id and e.event_type = s.action)
          and not exists (select from platform.outbox o where o.event_id = s.event_id and o.event_type = s.action) then 'event of entry'
        when s.has_both <> (s.changed is not null) then 'audit changes'
        when s.recorded_at > wallet.clock() + interval '1 minute' then 'audit time' end as fault, s.sequence
    from seen s cross join kept k
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', max(s.sequence)) from seen s having count(*) > 0),
    'faults', (select coalesce(json_agg(json_build_object('check', f.fault, 'row', 'audit entry ' || f.sequence)), '[]')
      from faults f where f.fault is not null)
  )::text);
end $$;

-- Checks that each event of a change has its entry in the audit trail: p_limit events after a number. Postings have none: their rows
-- are in the ledger. Events that have no number yet, those from before the audit trail had their ids, and those whose entries the
-- retention has deleted, which can be shorter than that of events, are not checked.
create or replace function wallet_api.verify_audited_events(p_after bigint default 0, p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  v_deleted constant timestamptz := (select max((d.before ->> 'newest')::timestamptz) from (select a.before
    from platform.audit_entries a where a.action = 'audit_entries.expired' order by a.recorded_at desc, a.sequence desc limit 100) d);
begin
  return (with seen as materialized (
    select e.number, e.event_id, e.event_type, e.object_id, e.occurred_at from delivery.events e
    where e.number > p_after order by e.number limit least(p_limit, 10000)
  )
  select json_build_object(
    'checked', (select count(*) from seen s where s.event_type is not null),
    'next', (select json_build_object('after', max(s.number)) from seen s having count(*) > 0),
    'faults', (select coalesce(json_agg(json_build_object('check', 'audited', 'row', 'event ' || s.event_id)), '[]')
      from seen s where s.event_type is not null and (s.occurred_at <= v_deleted) is not true
        and not exists (select from platform.audit_entries a
          where a.object_id = s.object_id and a.event_id = s.event_id and a.action = s.event_type))
  )::text);
end $$;
