-- Changes a schedule by a merge patch, and returns it: what read_schedule reads, but source, day_of_month, time_zone, starts_at and
-- counter_account. p_version: the version that the caller read, or null. Grants that it has created stay as they are.
create or replace function wallet_api.update_grant_schedule(p_wallet_id uuid, p_schedule_id uuid, p_version bigint, p_changes jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_fixed constant text[] := '{source,day_of_month,time_zone,starts_at,counter_account}';
  v_wallet wallet.wallets := billing.lock_for_schedules(p_wallet_id);
  v_old constant billing.grant_schedules := billing.find_schedule(p_wallet_id, p_schedule_id, p_version);
  v_now constant timestamptz := wallet.clock();
  v_new billing.grant_schedules;
begin
  if p_changes ?| c_fixed then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/' || (select k from unnest(c_fixed) k where p_changes ? k limit 1),
      'a schedule keeps it: delete the schedule and create another'));
  end if;
  v_new := billing.change_schedule(v_old, p_changes, v_wallet, v_now);
  if v_new is not distinct from v_old then
    return billing.format_schedule(v_old);
  end if;
  update billing.grant_schedules s set amount = v_new.amount, priority = v_new.priority, rollover = v_new.rollover,
      rollover_value = v_new.rollover_value, next_at = v_new.next_at, ends_at = v_new.ends_at, pays = v_new.pays,
      is_transferable = v_new.is_transferable, unit_cost = v_new.unit_cost, cost_currency = v_new.cost_currency,
      refund_grace_s = v_new.refund_grace_s, notice_s = v_new.notice_s, reference = v_new.reference, metadata = v_new.metadata,
      version = s.version + 1, updated_at = v_now
    where s.schedule_id = p_schedule_id returning * into v_new;
  perform platform.record_change(p_caller, 'grant_schedule.updated', p_schedule_id::text, billing.format_schedule(v_old)::jsonb,
    billing.format_schedule(v_new)::jsonb, v_new.user_id, p_wallet_id);
  perform billing.mark_scheduled(v_new);
  return (select billing.format_schedule(s) from billing.grant_schedules s where s.schedule_id = p_schedule_id);
end $$;

-- A schedule with the changes of a merge patch. One that had ended and goes on does so with the next period: what was missed is not
-- granted.
create or replace function billing.change_schedule(p_old billing.grant_schedules, p_changes jsonb, p_wallet wallet.wallets,
  p_now timestamptz) returns billing.grant_schedules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_document constant jsonb := billing.strip_nulls(
    to_jsonb(p_old) - '{schedule_id,wallet_id,user_id,next_at,starts_at,ends_at,version,created_at,updated_at}'::text[]
    || jsonb_build_object('ends_at', case when p_old.ends_at < 'infinity' then wallet.format_time(p_old.ends_at) end)
    || case when p_changes ->> 'rollover' in ('none', 'all') then '{"rollover_value": null}' else '{}' end::jsonb || p_changes);
  v_fault constant text[] := billing.find_schedule_fault(v_document, p_now);
  v_new billing.grant_schedules;
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  v_new := billing.build_schedule(v_document, p_wallet, p_old.schedule_id, p_now);
  perform billing.check_precision(v_new, p_wallet);
  v_new.starts_at := p_old.starts_at;
  v_new.next_at := case when p_old.next_at >= p_old.ends_at then greatest(p_old.next_at, v_new.next_at) else p_old.next_at end;
  v_new.version := p_old.version;
  v_new.created_at := p_old.created_at;
  v_new.updated_at := p_old.updated_at;
  return v_new;
end $$;

-- Deletes a schedule: no further period is granted. What it has granted stays, until its end; nothing of it is carried over.
create or replace function wallet_api.delete_grant_schedule(p_wallet_id uuid, p_schedule_id uuid, p_version bigint,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets := billing.lock_for_schedules(p_wallet_id);
  v_old constant billing.grant_schedules := billing.find_schedule(p_wallet_id, p_schedule_id, p_version);
begin
  delete from billing.grant_schedules s where s.schedule_id = p_schedule_id;
  perform platform.record_change(p_caller, 'grant_schedule.deleted', p_schedule_id::text, billing.format_schedule(v_old)::jsonb, null,
    v_old.user_id, v_wallet.wallet_id);
  return 'true';
end $$;

-- A schedule of a wallet; refuses the call if there is none, or if it has another version (null: any).
create or replace function billing.find_schedule(p_wallet_id uuid, p_schedule_id uuid, p_version bigint)
returns billing.grant_schedules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schedule billing.grant_schedules;
begin
  select * into v_schedule from billing.grant_schedules s where s.schedule_id = p_schedule_id and s.wallet_id = p_wallet_id;
  if not found then
    perform wallet.refuse_call('grant_schedule_not_found', jsonb_build_object('schedule_id', p_schedule_id));
  elsif v_schedule.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('version', v_schedule.version));
  end if;
  return v_schedule;
end $$;
