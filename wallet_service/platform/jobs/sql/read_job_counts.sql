-- How many jobs are due, run, are paused and dead, and for how many milliseconds the oldest due one has waited. Each count ends at
-- 10,000.
create or replace function wallet_api.read_job_counts() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object(
    'due', (select count(*) from (select from platform.jobs j where j.status = 'queued' and j.due_at <= wallet.clock() limit 10000) c),
    'running', (select count(*) from (select from platform.jobs j where j.status = 'running' limit 10000) c),
    'paused', (select count(*) from (select from platform.jobs j where j.status = 'paused' limit 10000) c),
    'dead', (select count(*) from (select from platform.jobs j where j.status = 'dead' limit 10000) c),
    'oldest_due_ms', (select coalesce(greatest(extract(epoch from wallet.clock() - min(j.due_at)) * 1000, 0), 0)::bigint
      from platform.jobs j where j.status = 'queued'))::text
$$;
