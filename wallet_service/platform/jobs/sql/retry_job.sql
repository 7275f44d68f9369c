-- Makes a job due at once, with all its attempts again: a dead, cancelled or paused one, or one that waits for its next attempt.
-- Refuses one that runs or has succeeded. p_client_id: as of get_job. Returns the job. Safe to repeat.
create or replace function wallet_api.retry_job(p_job_id uuid, p_client_id text default null, p_caller jsonb default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_job platform.jobs := platform.lock_job(p_job_id, p_client_id);
  v_before jsonb := platform.format_job(v_job);
begin
  if v_job.status in ('running', 'succeeded') then
    perform wallet.refuse_call('job_status', jsonb_build_object('job_id', p_job_id, 'job_status', v_job.status));
  elsif v_job.status <> 'queued' or v_job.due_at > wallet.clock() then
    update platform.jobs j set status = 'queued', attempts = 0, due_at = wallet.clock(), finished_at = null, updated_at = wallet.clock()
      where j.job_id = p_job_id returning * into v_job;
    perform platform.record_job_change(p_caller, v_before, v_job);
  end if;
  return wallet_api.get_job(p_job_id);
end $$;

-- Cancels a job. The worker of one that runs stops at its next heartbeat; what it has done by then stays. A job that is cancelled
-- already stays as it is. Refuses one that has succeeded. p_client_id: as of get_job. Returns the job.
create or replace function wallet_api.cancel_job(p_job_id uuid, p_client_id text default null, p_caller jsonb default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_job platform.jobs := platform.lock_job(p_job_id, p_client_id);
  v_before jsonb := platform.format_job(v_job);
begin
  if v_job.status = 'succeeded' then
    perform wallet.refuse_call('job_status', jsonb_build_object('job_id', p_job_id, 'job_status', v_job.status));
  elsif v_job.status <> 'cancelled' then
    update platform.jobs j set status = 'cancelled', lease_until = null, finished_at = wallet.clock(), updated_at = wallet.clock()
      where j.job_id = p_job_id returning * into v_job;
    perform platform.record_job_change(p_caller, v_before, v_job);
  end if;
  return wallet_api.get_job(p_job_id);
end $$;

-- Locks a job that the caller sees; refuses the call if there is none.
create or replace function platform.lock_job(p_job_id uuid, p_client_id text) returns platform.jobs
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_job platform.jobs;
begin
  perform wallet.require_read_committed();
  select * into v_job from platform.jobs j
    where j.job_id = p_job_id and (p_client_id is null or j.client_id = p_client_id) for update;
  if not found then
    perform wallet.refuse_call('job_not_found');
  end if;
  return v_job;
end $$;
