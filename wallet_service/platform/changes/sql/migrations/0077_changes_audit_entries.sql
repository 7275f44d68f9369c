-- The audit trail: which event an entry belongs to, and what differs. Entries leave by retention alone.
alter table platform.audit_entries add column event_id uuid, add column changed text[];
comment on column platform.audit_entries.event_id is 'of the change; null for a read';
comment on column platform.audit_entries.changed is 'the members that differ, as JSON pointers, also where their values are masked; null unless there is a before and an after';

create function platform.refuse_audit_deletion() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('wallet_service.audit_retention', true) is distinct from 'on'
      or old.recorded_at > wallet.clock() - interval '30 days' then
    raise exception '% of %.% is refused: the audit trail is append-only, and delete_expired_audit_entries is its retention',
      tg_op, tg_table_schema, tg_table_name using errcode = 'WL003';
  end if;
  return old;
end $$;
create trigger kept before delete on platform.audit_entries
  for each row execute function platform.refuse_audit_deletion();
