-- Sets schedules: [{"type","cron","next_at"}]. One that is set with the same expression stays as it is, with its next tick.
create or replace function wallet_api.set_job_schedules(p_schedules jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  insert into platform.job_schedules as s (type, cron, next_at, updated_at)
    select n.type, n.cron, n.next_at, wallet.clock()
    from jsonb_to_recordset(p_schedules) as n (type text, cron text, next_at timestamptz) order by n.type
    on conflict (type) do update set cron = excluded.cron, next_at = excluded.next_at, updated_at = excluded.updated_at
      where s.cron <> excluded.cron;
  return 'true';
end $$;

-- Creates the jobs of ticks of a schedule, and moves the schedule on: [{"job_id","tick_at"}], at most 1,000. p_from is the next tick
-- that the caller has read; if another worker has moved the schedule on since, nothing happens. Returns how many jobs were created.
create or replace function wallet_api.schedule_job(p_type text, p_cron text, p_from timestamptz, p_ticks jsonb, p_next timestamptz)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_created integer;
begin
  perform wallet.require_read_committed();
  update platform.job_schedules s set next_at = p_next, updated_at = wallet.clock()
    where s.type = p_type and s.cron = p_cron and s.next_at = p_from and p_next > p_from;
  if not found then
    return '0';
  end if;
  insert into platform.jobs (job_id, type, arguments, due_at, tick_at, created_at, updated_at)
    select t.job_id, p_type, '{}', t.tick_at, t.tick_at, wallet.clock(), wallet.clock()
    from jsonb_to_recordset(p_ticks) as t (job_id uuid, tick_at timestamptz) order by t.tick_at limit 1000
    on conflict (type, tick_at) where tick_at is not null do nothing;
  get diagnostics v_created = row_count;
  return v_created::text;
end $$;

-- The ledger's time, for the first tick of new schedules.
create or replace function wallet_api.read_job_time() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select wallet.format_time(wallet.clock())
$$;
