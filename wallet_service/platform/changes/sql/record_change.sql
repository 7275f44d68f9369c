-- Records a change in the transaction that makes it: a row for the audit trail, and one for the readers of events.
-- p_caller: who makes it, as the service gives it (core/caller.py); null: a caller that the function does not know, such as release
-- 0.1.0. p_type: the event type that the room declares, as wallet.updated. p_before, p_after: the object before and after; null
-- where it did not or does not exist; without secrets. p_user_id: whose it is; p_wallet_id: the wallet that it is, or belongs to.
-- Call it after the locks of what was changed were taken: events of one object then have the order of its changes. Call it only
-- where something changed: a change that was made before, or of nothing, leaves no record.
create or replace function platform.record_change(p_caller jsonb, p_type text, p_object_id text, p_before jsonb, p_after jsonb,
  p_user_id text default null, p_wallet_id uuid default null) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_event_id uuid := wallet.new_id();
  v_names text[] := platform.list_masked_members(p_type);
begin
  insert into platform.outbox (event_id, event_type, object_id, user_id, wallet_id, occurred_at, before, after)
    values (v_event_id, p_type, p_object_id, p_user_id, p_wallet_id, wallet.clock(), p_before, p_after);
  perform platform.write_audit_entry(p_caller, p_type, p_object_id, platform.mask_members(p_before, v_names),
    platform.mask_members(p_after, v_names), p_user_id, v_event_id,
    case when p_before is not null and p_after is not null then platform.list_differences(p_before, p_after) end);
end $$;

-- Records a read of another person's data.
create or replace function platform.record_read(p_caller jsonb, p_action text, p_object_id text, p_user_id text default null)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.write_audit_entry(p_caller, p_action, p_object_id, null, null, p_user_id);
end $$;

-- Adds an entry to the audit trail. Documents are masked by now; p_changed: the members that differ.
create or replace function platform.write_audit_entry(p_caller jsonb, p_action text, p_object_id text, p_before jsonb,
  p_after jsonb, p_user_id text, p_event_id uuid default null, p_changed text[] default null) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into platform.audit_entries (recorded_at, actor, on_behalf_of, client_id, address, session_id, user_agent, request_id,
      action, object_id, user_id, before, after, event_id, changed)
    values (wallet.clock(), coalesce(p_caller ->> 'actor', 'unknown'), p_caller ->> 'on_behalf_of', p_caller ->> 'client_id',
      p_caller ->> 'address', p_caller ->> 'session_id', p_caller ->> 'user_agent', p_caller ->> 'request_id',
      p_action, p_object_id, p_user_id, p_before, p_after, p_event_id, p_changed);
end $$;
