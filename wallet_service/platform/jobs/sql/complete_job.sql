-- Completes a job that its worker has done. Returns whether the job was still the worker's. Safe to repeat.
create or replace function wallet_api.complete_job(p_job_id uuid, p_lease_id uuid, p_result jsonb default null,
  p_progress jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  update platform.jobs j set status = 'succeeded', lease_until = null, result = p_result, error = null,
      progress = coalesce(p_progress, j.progress), finished_at = wallet.clock(), updated_at = wallet.clock()
    where j.job_id = p_job_id and j.lease_id = p_lease_id and j.status = 'running';
  return (found or exists (select from platform.jobs j
    where j.job_id = p_job_id and j.lease_id = p_lease_id and j.status = 'succeeded'))::text;
end $$;
