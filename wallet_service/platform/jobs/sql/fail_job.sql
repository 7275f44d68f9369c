-- Ends an attempt of a worker that failed. p_pause_ms: until the next attempt; null: there is none, and the job is dead. p_error:
-- {"code","detail"}. Returns 'queued', 'dead', or 'lost' if the job is no longer the worker's. Safe to repeat.
create or replace function wallet_api.fail_job(p_job_id uuid, p_lease_id uuid, p_error jsonb, p_pause_ms bigint default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  return platform.end_held_attempt(p_job_id, p_lease_id, case when p_pause_ms is null then 'dead' else 'queued' end, p_error,
    p_pause_ms, true);
end $$;

-- Gives a job back that its worker can't go on with, because it stops: due at once, and the attempt does not count. As fail_job.
create or replace function wallet_api.release_job(p_job_id uuid, p_lease_id uuid) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  return platform.end_held_attempt(p_job_id, p_lease_id, 'queued', null, 0, false);
end $$;

-- Pauses a job whose creator has lost its rights, until it is retried: the attempt does not count. As fail_job; returns 'paused'.
create or replace function wallet_api.pause_job(p_job_id uuid, p_lease_id uuid, p_error jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  return platform.end_held_attempt(p_job_id, p_lease_id, 'paused', p_error, 0, false);
end $$;

-- Ends an attempt if it is that of the lease. p_counts: whether it counts towards the most attempts.
create or replace function platform.end_held_attempt(p_job_id uuid, p_lease_id uuid, p_status text, p_error jsonb, p_pause_ms bigint,
  p_counts boolean) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_job platform.jobs;
begin
  select * into v_job from platform.jobs j where j.job_id = p_job_id and j.lease_id = p_lease_id for update;
  if v_job.status = p_status then
    return p_status; -- by a first attempt of this call whose response was lost
  elsif v_job.status is distinct from 'running' then
    return 'lost';
  end if;
  perform platform.end_attempt(p_job_id, p_status, p_error, p_pause_ms, p_counts);
  return p_status;
end $$;
