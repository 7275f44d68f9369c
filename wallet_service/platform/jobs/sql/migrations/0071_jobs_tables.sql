-- Work in the background. A row is a job from the moment it is enqueued until it is removed some days after its end.
create table platform.jobs (
  job_id uuid primary key,
  type text collate "C" not null,
  key text collate "C",
  arguments jsonb not null,
  client_id text collate "C",
  key_id text collate "C",
  user_id text,
  organization_id text,
  status text collate "C" not null default 'queued'
    check (status in ('queued', 'running', 'paused', 'succeeded', 'dead', 'cancelled')),
  due_at timestamptz not null,
  tick_at timestamptz,
  attempts integer not null default 0 check (attempts >= 0),
  lease_id uuid,
  lease_until timestamptz,
  worker text,
  progress jsonb,
  result jsonb,
  error jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  finished_at timestamptz,
  check ((status = 'running') = (lease_until is not null)),
  check ((status in ('succeeded', 'dead', 'cancelled')) = (finished_at is not null))
);
comment on column platform.jobs.key is 'of the room that enqueues: a second job of the type with this key is not created';
comment on column platform.jobs.client_id is 'the creator; null: the service itself';
comment on column platform.jobs.tick_at is 'the moment of the schedule for which it was created';
comment on column platform.jobs.lease_id is 'of the last claim: only its worker may complete or fail the job';
comment on column platform.jobs.lease_until is 'by the clock of the server, also where wallet.clock() can be set';
create unique index jobs_by_key on platform.jobs (type, key) where key is not null;
create unique index jobs_by_tick on platform.jobs (type, tick_at) where tick_at is not null;
create index jobs_due on platform.jobs (due_at, job_id) where status = 'queued';
create index jobs_running on platform.jobs (lease_until) where status = 'running';
create index jobs_by_status on platform.jobs (status, job_id);
create index jobs_by_client on platform.jobs (client_id, job_id);
create index jobs_finished on platform.jobs (finished_at, job_id) where finished_at is not null;

-- The schedule of a type of jobs: the next moment for which a job is to be created.
create table platform.job_schedules (
  type text collate "C" primary key,
  cron text not null,
  next_at timestamptz not null,
  updated_at timestamptz not null
);
