-- Checks jobs: p_limit of them after a place. Returns {checked, next, faults: [{check, row}]}.
create or replace function wallet_api.verify_jobs(p_after_job uuid default null, p_limit integer default 2000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with seen as materialized (
    select j.* from platform.jobs j
    where j.job_id > coalesce(p_after_job, '00000000-0000-0000-0000-000000000000') order by j.job_id limit least(p_limit, 10000)
  ), faults (name, job_id) as (
    select 'job leases', s.job_id from seen s
      where (s.status = 'running') <> (s.lease_until is not null and s.lease_id is not null and s.attempts > 0)
    union all
    select 'job ends', s.job_id from seen s where (s.status in ('succeeded', 'dead', 'cancelled')) <> (s.finished_at is not null)
    union all
    select 'job keys', s.job_id from seen s where exists (select from platform.jobs o where o.type = s.type and o.job_id <> s.job_id
      and (o.key = s.key or o.tick_at = s.tick_at))
    union all
    select 'job ticks', s.job_id from seen s join platform.job_schedules c on c.type = s.type
      where s.tick_at >= c.next_at and s.created_at >= c.updated_at
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after_job', s.job_id) from seen s order by s.job_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'row', 'job ' || f.job_id)), '[]') from faults f)
  )::text);
end $$;
