-- Deletes at most p_limit entries that are older than p_keep_days, oldest first: {"entries", "more"}; more: call it again. Entries of
-- the last 30 days can't be deleted at all. The deletion is itself recorded. Sessions that call it at the same time share the work.
create or replace function wallet_api.delete_expired_audit_entries(p_keep_days integer, p_limit integer default 2000,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_deleted jsonb;
begin
  perform wallet.require_read_committed();
  if coalesce(p_keep_days, 0) < 30 then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/keep_days', 'must be at least 30'));
  end if;
  perform set_config('wallet_service.audit_retention', 'on', true);    -- for the trigger that refuses deletions
  with expired as (
    select a.sequence from platform.audit_entries a
    where a.recorded_at < wallet.clock() - make_interval(days => p_keep_days)
    order by a.recorded_at, a.sequence limit least(p_limit, 2000) for update skip locked
  ), deleted as (
    delete from platform.audit_entries a using expired e where a.sequence = e.sequence returning a.recorded_at
  )
  select jsonb_build_object('entries', count(*), 'oldest', wallet.format_time(min(d.recorded_at)),
    'newest', wallet.format_time(max(d.recorded_at))) into v_deleted from deleted d;
  perform set_config('wallet_service.audit_retention', '', true);
  if v_deleted ->> 'entries' <> '0' then
    perform platform.record_change(p_caller, 'audit_entries.expired', 'audit', v_deleted, null);
  end if;
  return json_build_object('entries', v_deleted -> 'entries', 'more', (v_deleted ->> 'entries')::integer >= least(p_limit, 2000))::text;
end $$;
