-- The schedules of a wallet, oldest first, after what was due on it; p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.list_grant_schedules(p_wallet_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  return '{"items":[' || coalesce((select string_agg(billing.format_schedule(s), ',' order by s.schedule_id)
    from billing.grant_schedules s where s.wallet_id = p_wallet_id), '') || ']}';
end $$;

-- A schedule of a wallet, after what was due on it.
create or replace function wallet_api.get_grant_schedule(p_wallet_id uuid, p_schedule_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  return billing.format_schedule(billing.find_schedule(p_wallet_id, p_schedule_id, null));
end $$;

-- A schedule as its readers see it.
create or replace function billing.format_schedule(p_schedule billing.grant_schedules) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_currency text;
  v_exponent integer;
begin
  select c.code, c.exponent into v_currency, v_exponent
    from wallet.wallets w join wallet.currencies c on c.code = w.currency where w.wallet_id = p_schedule.wallet_id;
  return (select row_to_json(v)::text from (select
    p_schedule.schedule_id as schedule_id,
    p_schedule.wallet_id as wallet_id,
    v_currency as currency,
    wallet.format_amount(p_schedule.amount, v_exponent) as amount,
    p_schedule.source as source,
    p_schedule.priority as priority,
    p_schedule.day_of_month as day_of_month,
    p_schedule.time_zone as time_zone,
    p_schedule.rollover as rollover,
    case p_schedule.rollover when 'cap' then wallet.format_amount(p_schedule.rollover_value, v_exponent)
      else trim_scale(p_schedule.rollover_value)::text end as rollover_value,
    case when p_schedule.next_at < p_schedule.ends_at then wallet.format_time(p_schedule.next_at) end as next_at,
    wallet.format_time(coalesce(p_schedule.starts_at, p_schedule.created_at)) as starts_at,
    case when p_schedule.ends_at < 'infinity' then wallet.format_time(p_schedule.ends_at) end as ends_at,
    p_schedule.counter_account as counter_account,
    p_schedule.pays as pays,
    p_schedule.is_transferable as is_transferable,
    trim_scale(p_schedule.unit_cost)::text as unit_cost,
    p_schedule.cost_currency as cost_currency,
    p_schedule.refund_grace_s as refund_grace_s,
    p_schedule.notice_s as notice_s,
    p_schedule.reference as reference,
    p_schedule.metadata as metadata,
    p_schedule.version as version,
    wallet.format_time(p_schedule.created_at) as created_at,
    wallet.format_time(p_schedule.updated_at) as updated_at) v);
end $$;
