-- Claims due jobs for a worker: at most p_limit of the types [{"type","lease_s","max_attempts","is_scheduled"}]. is_scheduled: whether
-- the worker creates the ticks of the type's schedule, which its settings may have turned off. Calls at the same time claim different jobs. Safe to repeat: the same p_claim_id, which becomes the lease id, returns the same jobs. Of the jobs of one schedule
-- an earlier one ends before the next one is claimed. Returns {"jobs","schedules","expired","wait_ms"}: schedules that have a tick to
-- create; how many leases had expired; in how many milliseconds the next job or tick of these types is due, null for none.
create or replace function wallet_api.claim_jobs(p_claim_id uuid, p_worker text, p_types jsonb, p_limit integer default 1) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 10;
  v_now timestamptz;
  v_names text[] := array(select t.type from jsonb_to_recordset(p_types) as t (type text));
  v_scheduled text[] := array(select t.type from jsonb_to_recordset(p_types) as t (type text, is_scheduled boolean)
    where t.is_scheduled is not false);
  v_expired integer := 0;
  v_next timestamptz;
begin
  perform wallet.require_read_committed();
  if not exists (select from platform.jobs j where j.status = 'running' and j.lease_id = p_claim_id) then
    v_expired := platform.expire_leases(p_types);
    v_now := wallet.clock(); -- not before: what has expired is due now
    with due as materialized (
      select j.job_id, t.lease_s from platform.jobs j
      join jsonb_to_recordset(p_types) as t (type text, lease_s integer, max_attempts integer) on t.type = j.type
      where j.status = 'queued' and j.due_at <= v_now
        and (j.tick_at is null or not exists (select from platform.jobs e
          where e.type = j.type and e.tick_at < j.tick_at and e.status in ('queued', 'running')))
      order by j.due_at, j.job_id limit least(p_limit, c_most) for update of j skip locked
    )
    update platform.jobs j set status = 'running', attempts = j.attempts + 1, lease_id = p_claim_id, worker = p_worker,
        lease_until = clock_timestamp() + make_interval(secs => d.lease_s), error = null, updated_at = v_now
      from due d where j.job_id = d.job_id;
  end if;
  v_now := coalesce(v_now, wallet.clock());
  select least(
    (select min(j.due_at) from platform.jobs j where j.status = 'queued' and j.due_at > v_now and j.type = any (v_names)),
    (select min(s.next_at) from platform.job_schedules s where s.type = any (v_scheduled))) into v_next;
  return json_build_object(
    'jobs', (select coalesce(json_agg(json_build_object('job_id', j.job_id, 'type', j.type, 'arguments', j.arguments,
        'attempt', j.attempts, 'lease_id', j.lease_id, 'tick_at', wallet.format_time(j.tick_at),
        'client_id', j.client_id, 'key_id', j.key_id, 'user_id', j.user_id, 'organization_id', j.organization_id)
        order by j.due_at, j.job_id), '[]')
      from platform.jobs j where j.status = 'running' and j.lease_id = p_claim_id),
    'schedules', (select coalesce(json_agg(json_build_object('type', s.type, 'cron', s.cron,
        'next_at', wallet.format_time(s.next_at), 'now', wallet.format_time(v_now)) order by s.next_at), '[]')
      from platform.job_schedules s where s.next_at <= v_now and s.type = any (v_scheduled)),
    'expired', v_expired,
    'wait_ms', case when v_next is not null then greatest(ceil(extract(epoch from v_next - v_now) * 1000), 0)::bigint end)::text;
end $$;

-- Takes jobs of these types back from workers that did not renew their leases: at most 100. Each is due again at once, or dead if
-- its attempts are used up. Returns how many.
create or replace function platform.expire_leases(p_types jsonb) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_job record;
  v_expired integer := 0;
begin
  for v_job in
    select j.job_id, j.attempts >= t.max_attempts as is_last from platform.jobs j
    join jsonb_to_recordset(p_types) as t (type text, max_attempts integer) on t.type = j.type
    where j.status = 'running' and j.lease_until < clock_timestamp()
    order by j.lease_until limit 100 for update of j skip locked
  loop
    perform platform.end_attempt(v_job.job_id, case when v_job.is_last then 'dead' else 'queued' end,
      jsonb_build_object('code', 'lease_expired', 'detail', 'The worker stopped, or did not renew the lease in time'), 0);
    v_expired := v_expired + 1;
  end loop;
  return v_expired;
end $$;

-- Ends an attempt that did not succeed: the job, which the caller has locked, is queued again in p_pause_ms, dead, or paused. p_counts:
-- whether the attempt counts towards the most attempts.
create or replace function platform.end_attempt(p_job_id uuid, p_status text, p_error jsonb, p_pause_ms bigint,
  p_counts boolean default true) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_before jsonb;
  v_job platform.jobs;
begin
  select platform.format_job(j)::jsonb into v_before from platform.jobs j where j.job_id = p_job_id;
  update platform.jobs j set status = p_status, lease_until = null, error = p_error, updated_at = wallet.clock(),
      attempts = j.attempts - case when p_counts then 0 else 1 end,
      due_at = case p_status when 'queued' then wallet.clock() + make_interval(secs => p_pause_ms / 1000.0) else j.due_at end,
      finished_at = case p_status when 'dead' then wallet.clock() end
    where j.job_id = p_job_id returning * into v_job;
  if p_status in ('dead', 'paused') then
    perform platform.record_job_change(jsonb_build_object('actor', 'service'), v_before, v_job);
  end if;
end $$;

-- Records the change of a job to its present status as an event and in the audit trail.
create or replace function platform.record_job_change(p_caller jsonb, p_before jsonb, p_job platform.jobs) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_id constant text := p_job.job_id;
  v_after constant jsonb := platform.format_job(p_job);
begin
  case p_job.status
    when 'dead' then perform platform.record_change(p_caller, 'job.dead', v_id, p_before, v_after, p_job.user_id);
    when 'paused' then perform platform.record_change(p_caller, 'job.paused', v_id, p_before, v_after, p_job.user_id);
    when 'cancelled' then perform platform.record_change(p_caller, 'job.cancelled', v_id, p_before, v_after, p_job.user_id);
    when 'queued' then perform platform.record_change(p_caller, 'job.retried', v_id, p_before, v_after, p_job.user_id);
  end case;
end $$;
