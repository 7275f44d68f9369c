-- Jobs: work in the background, stored until it is done. A job waits (queued) until it is due, is claimed by a worker for the time
-- of a lease (running), and ends: succeeded, dead (its attempts are used up) or cancelled. One whose creator has lost its rights is
-- paused. Each claim has a lease id; a worker whose lease has passed to another can change nothing any more. Leases are measured by
-- the server's clock and everything else by wallet.clock(), so a clock that is set forward ends no lease.

-- Creates a job, for SQL of rooms: in the transaction of the change that it belongs to. Safe to repeat with the same p_job_id.
-- p_creator: null for the service itself, or {"client_id","key_id","user_id","organization_id"}. p_due_at: null for at once.
-- p_key: with it, a type has one job with this key; the first one stays. Returns the id of the job that exists now.
create or replace function platform.enqueue_job(p_job_id uuid, p_type text, p_arguments jsonb default '{}',
  p_creator jsonb default null, p_due_at timestamptz default null, p_key text default null) returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_most_bytes constant integer := 65536;
  v_now timestamptz := wallet.clock();
  v_job_id uuid;
begin
  if p_job_id is null or p_type !~ '^[a-z][a-z0-9_]{0,62}$' or jsonb_typeof(p_arguments) <> 'object' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/type', 'a job has an id, a type and an object of arguments'));
  elsif octet_length(p_arguments::text) > c_most_bytes then
    perform wallet.refuse_call('validation_failed',
      wallet.build_fault('/arguments', 'must have at most 65536 bytes: store more in a file, and name the file'));
  elsif length(p_key) not between 1 and 255 then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/key', 'must have 1 to 255 characters'));
  end if;
  insert into platform.jobs (job_id, type, key, arguments, client_id, key_id, user_id, organization_id, due_at, created_at, updated_at)
    values (p_job_id, p_type, p_key, p_arguments, p_creator ->> 'client_id', p_creator ->> 'key_id', p_creator ->> 'user_id',
      p_creator ->> 'organization_id', coalesce(p_due_at, v_now), v_now, v_now)
    on conflict do nothing returning job_id into v_job_id;
  if v_job_id is null then
    select j.job_id into v_job_id from platform.jobs j where j.type = p_type and (j.job_id = p_job_id or j.key = p_key);
    if v_job_id is null then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/job_id', 'is the id of a job of another type'));
    end if;
  end if;
  return v_job_id;
end $$;

-- Creates a job, as platform.enqueue_job, and returns it.
create or replace function wallet_api.add_job(p_job_id uuid, p_type text, p_arguments jsonb default '{}',
  p_creator jsonb default null, p_due_at timestamptz default null, p_key text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_job_id uuid;
begin
  perform wallet.require_read_committed();
  v_job_id := platform.enqueue_job(p_job_id, p_type, p_arguments, p_creator, p_due_at, p_key);
  return (select platform.format_job(j) from platform.jobs j where j.job_id = v_job_id);
end $$;

-- A job as callers see it: without its arguments, which may be about other people than the reader.
create or replace function platform.format_job(p_job platform.jobs) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select row_to_json(j)::text from (select p_job.job_id, p_job.type, p_job.status, p_job.attempts, p_job.progress, p_job.result,
    p_job.error, p_job.client_id, p_job.user_id, wallet.format_time(p_job.due_at) as due_at,
    wallet.format_time(p_job.tick_at) as tick_at, wallet.format_time(p_job.created_at) as created_at,
    wallet.format_time(p_job.updated_at) as updated_at, wallet.format_time(p_job.finished_at) as finished_at) j
$$;
