-- Removes jobs that ended more than p_keep_s seconds ago, and dead ones after p_keep_dead_s: at most p_limit, the oldest first. Returns
-- how many.
create or replace function wallet_api.delete_finished_jobs(p_keep_s bigint, p_keep_dead_s bigint, p_limit integer default 500)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_deleted integer;
begin
  perform wallet.require_read_committed();
  delete from platform.jobs j using (
      select f.job_id from platform.jobs f
      where f.finished_at < wallet.clock() - make_interval(secs => case f.status when 'dead' then p_keep_dead_s else p_keep_s end)
      order by f.finished_at, f.job_id limit p_limit for update skip locked) e
    where j.job_id = e.job_id;
  get diagnostics v_deleted = row_count;
  return v_deleted::text;
end $$;
