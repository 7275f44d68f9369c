-- Renews the leases of jobs that a worker runs, and stores their progress: [{"job_id","lease_id","lease_s","progress"}]; without
-- progress (null) that of before stays. Returns the claims that are still the worker's, [{"job_id","lease_id"}]; the other jobs were
-- cancelled or have another claim, which may be of the same worker. Safe to repeat.
create or replace function wallet_api.renew_leases(p_jobs jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_held jsonb;
begin
  perform wallet.require_read_committed();
  with named as materialized (
    select j.job_id, j.lease_id, n.lease_s, nullif(n.progress, 'null') as progress from platform.jobs j
    join jsonb_to_recordset(p_jobs) as n (job_id uuid, lease_id uuid, lease_s integer, progress jsonb)
      on n.job_id = j.job_id and n.lease_id = j.lease_id
    where j.status = 'running' order by j.job_id for update of j
  ), renewed as (
    update platform.jobs j set lease_until = clock_timestamp() + make_interval(secs => n.lease_s),
        progress = coalesce(n.progress, j.progress), updated_at = wallet.clock()
      from named n where j.job_id = n.job_id returning j.job_id, j.lease_id
  )
  select coalesce(jsonb_agg(to_jsonb(r) order by r.job_id), '[]') into v_held from renewed r;
  return v_held::text;
end $$;
