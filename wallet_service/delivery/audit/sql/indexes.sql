-- The audit trail is read newest first, by time or by one of these.
create index concurrently if not exists audit_entries_by_time on platform.audit_entries (recorded_at, sequence);
create index concurrently if not exists audit_entries_by_object on platform.audit_entries (object_id, recorded_at, sequence);
create index concurrently if not exists audit_entries_by_user on platform.audit_entries (user_id, recorded_at, sequence)
  where user_id is not null;
create index concurrently if not exists audit_entries_by_actor on platform.audit_entries (actor, recorded_at, sequence);
create index concurrently if not exists audit_entries_by_action on platform.audit_entries (action, recorded_at, sequence);
create index concurrently if not exists audit_entries_by_request on platform.audit_entries (request_id, recorded_at, sequence)
  where request_id is not null;
