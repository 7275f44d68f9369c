-- Schedules have a moment from which they count, and a name of the caller.
alter table billing.grant_schedules
  add column starts_at timestamptz,
  add column reference text;
comment on column billing.grant_schedules.starts_at is 'the first period begins at or after it';
comment on column billing.grant_schedules.next_at is 'when the next period begins; at or after ends_at: there is none';
