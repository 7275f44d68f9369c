-- Lets what is due on grants of a call's wallets take effect (ledger: open_room_state.sql), in the order in which it was due: a schedule
-- creates the grant of a period, a grant becomes effective, is about to end, or expires.
create or replace function billing.settle_grants(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account;
  v_due billing.due_grant;
begin
  for i in 1 .. cardinality(p_settlement.accounts) loop
    v_account := p_settlement.accounts[i];
    continue when v_account.is_due is not true or (v_account.marks & 1) = 0;
    if v_account.status = 'closed' then
      p_settlement := billing.close_grants(p_settlement, i, p_now);
      continue;
    end if;
    p_settlement := billing.settle_grants_until(p_settlement, i, p_now, p_now);
    v_due := billing.find_due_grant(v_account.wallet_id);
    v_account := p_settlement.accounts[i];
    v_account.due_at := least(v_account.due_at, v_due.at);
    p_settlement.accounts[i] := v_account;
  end loop;
  return p_settlement;
end $$;

-- The same for one wallet, as far as it was due at p_until. A room above calls it before something of its own that was due then: so the
-- result is that of a service that was always awake.
create or replace function billing.settle_grants_until(p_settlement wallet.settlement, p_index integer, p_until timestamptz,
  p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_due billing.due_grant;
begin
  loop
    v_due := billing.find_due_grant((p_settlement.accounts[p_index]).wallet_id);
    exit when v_due.at is null or v_due.at > p_until;
    p_settlement := case v_due.kind
      when 'period' then billing.create_period_grant(p_settlement, p_index, v_due.id, p_now)
      when 'start' then billing.start_grant(p_settlement, p_index, v_due.id, p_now)
      when 'notice' then billing.notice_grant(p_settlement, v_due.id, p_now)
      else billing.expire_grant(p_settlement, p_index, v_due.id, p_now) end;
  end loop;
  return p_settlement;
end $$;

-- What is due next on the grants of a wallet, and when; at the same moment a grant expires before the next one begins.
create or replace function billing.find_due_grant(p_wallet_id uuid) returns billing.due_grant
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_due billing.due_grant;
begin
  select d.at, d.kind, d.id into v_due from (
    (select g.expires_at as at, 2 as place, 'expiry' as kind, g.grant_id as id from billing.grants g
      where g.wallet_id = p_wallet_id and g.is_live and g.remaining > g.reserved and g.transaction_id is not null
        and g.expires_at < 'infinity' order by g.expires_at, g.grant_id limit 1)
    union all
    (select '-infinity', 0, 'expiry', g.grant_id from billing.grants g
      where g.wallet_id = p_wallet_id and g.is_live and g.remaining > g.reserved and g.ended is not null limit 1)
    union all
    (select g.notice_at, 1, 'notice', g.grant_id from billing.grants g
      where g.wallet_id = p_wallet_id and g.notice_at < 'infinity' order by g.notice_at, g.grant_id limit 1)
    union all
    (select s.next_at, 3, 'period', s.schedule_id from billing.grant_schedules s
      where s.wallet_id = p_wallet_id and s.next_at < s.ends_at order by s.next_at, s.schedule_id limit 1)
    union all
    (select g.effective_at, 4, 'start', g.grant_id from billing.grants g
      where g.wallet_id = p_wallet_id and g.transaction_id is null and g.ended is null order by g.effective_at, g.grant_id limit 1)
  ) d order by d.at, d.place limit 1;
  return v_due;
end $$;

-- A grant becomes effective: its amount is posted. Where the balance would be too large it is voided, with this reason.
create or replace function billing.start_grant(p_settlement wallet.settlement, p_index integer, p_grant_id uuid, p_now timestamptz)
returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grants;
  v_before jsonb;
  v_refusal wallet.decision;
begin
  select * into v_grant from billing.grants g where g.grant_id = p_grant_id;
  v_refusal := wallet.check_movement(p_settlement.accounts[p_index], v_grant.amount);
  if v_refusal.status is not null then
    perform billing.void_unposted(v_grant, v_refusal.code, p_now);
    return p_settlement;
  end if;
  v_before := billing.format_grant(v_grant, p_now);
  p_settlement := wallet.settle_entry(p_settlement, p_index, 'grant', v_grant.amount, v_grant.counter_account, v_grant.effective_at,
    p_now, v_grant.metadata || jsonb_build_object('grant_id', p_grant_id));
  update billing.grants g set transaction_id = (p_settlement.entries[cardinality(p_settlement.entries)]).transaction_id
    where g.grant_id = p_grant_id returning * into v_grant;
  perform billing.record_grant('{"actor": "service"}', 'grant.started', v_before, v_grant, p_now);
  return p_settlement;
end $$;

-- Voids a grant of which nothing was posted: it stays in the list with the reason, and the event has it.
create or replace function billing.void_unposted(p_grant billing.grants, p_reason text, p_now timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_before constant jsonb := billing.format_grant(p_grant, p_now);
begin
  update billing.grants g set ended = 'voided', void_reason = p_reason, voided = g.remaining, remaining = 0, notice_at = 'infinity'
    where g.grant_id = p_grant.grant_id returning * into p_grant;
  perform billing.record_grant('{"actor": "service"}', 'grant.voided', v_before, p_grant, p_now);
end $$;

-- Ends the schedules and grants of a wallet that was closed. Its balance is 0: what is left of grants covers a debt, and is overdrawn.
create or replace function billing.close_grants(p_settlement wallet.settlement, p_index integer, p_now timestamptz)
returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account constant wallet.account := p_settlement.accounts[p_index];
  v_at constant timestamptz := greatest(p_now, v_account.last_posted_at);
  v_schedule billing.grant_schedules;
  v_grant billing.grants;
  v_before jsonb;
begin
  for v_schedule in delete from billing.grant_schedules s where s.wallet_id = v_account.wallet_id returning * loop
    perform platform.record_change('{"actor": "service"}', 'grant_schedule.deleted', v_schedule.schedule_id::text,
      billing.format_schedule(v_schedule)::jsonb, null, v_schedule.user_id, v_schedule.wallet_id);
  end loop;
  for v_grant in select g.* from billing.grants g where g.wallet_id = v_account.wallet_id and g.standing in ('scheduled', 'active')
      order by g.grant_id loop
    if v_grant.transaction_id is null then
      perform billing.void_unposted(v_grant, 'wallet_closed', p_now);
    else
      v_before := billing.format_grant(v_grant, p_now);
      insert into billing.grant_movements (grant_id, moved_at, kind, amount)
        values (v_grant.grant_id, v_at, 'overdrawn', v_grant.remaining);
      update billing.grants g set ended = 'voided', void_reason = 'wallet_closed', overdrawn = g.overdrawn + g.remaining, remaining = 0,
          notice_at = 'infinity'
        where g.grant_id = v_grant.grant_id returning * into v_grant;
      perform billing.record_grant('{"actor": "service"}', 'grant.voided', v_before, v_grant, p_now);
    end if;
  end loop;
  return p_settlement;
end $$;

-- Records that a grant with something left will end soon.
create or replace function billing.notice_grant(p_settlement wallet.settlement, p_grant_id uuid, p_now timestamptz)
returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grants;
begin
  update billing.grants g set notice_at = 'infinity' where g.grant_id = p_grant_id returning * into v_grant;
  if v_grant.remaining > 0 and v_grant.ended is null then
    perform billing.record_grant('{"actor": "service"}', 'grant.ending', billing.format_grant(v_grant, p_now)::jsonb, v_grant, p_now);
  end if;
  return p_settlement;
end $$;

-- What is left of a grant, and not reserved, goes to breakage at its end. A part of it that stands for an overdraft, which the wallet
-- could not pay back, counts as used. The allowance of a schedule may carry a part over to the next period.
create or replace function billing.expire_grant(p_settlement wallet.settlement, p_index integer, p_grant_id uuid, p_now timestamptz)
returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_settlement.accounts[p_index];
  v_grant billing.grants;
  v_before jsonb;
  v_free numeric;
  v_carried numeric;
  v_posted numeric;
begin
  select * into v_grant from billing.grants g where g.grant_id = p_grant_id;
  v_before := billing.format_grant(v_grant, p_now);
  v_free := v_grant.remaining - v_grant.reserved;
  v_carried := billing.find_carried(v_grant, v_account.exponent);
  v_posted := least(v_free - v_carried, greatest(0, v_account.balance - v_account.locked_balance + v_account.credit_limit));
  if v_posted > 0 then
    p_settlement := wallet.settle_entry(p_settlement, p_index, 'grant_expiry', -v_posted, 'breakage',
      least(v_grant.expires_at, p_now), p_now, jsonb_build_object('grant_id', p_grant_id));
  end if;
  insert into billing.grant_movements (grant_id, moved_at, kind, amount, transaction_id)
    select p_grant_id, greatest(p_now, v_account.last_posted_at), m.kind, m.amount,
      case m.kind when 'expired' then (p_settlement.entries[cardinality(p_settlement.entries)]).transaction_id end
    from (values ('expired', v_posted), ('overdrawn', v_free - v_carried - v_posted)) m (kind, amount) where m.amount > 0;
  if v_carried > 0 then
    update billing.grants g set carried_from = g.expires_at, expires_at = (select billing.find_next_period(s, g.expires_at)
          from billing.grant_schedules s where s.schedule_id = g.schedule_id), notice_at = 'infinity',
        remaining = g.remaining - (v_free - v_carried), expired = g.expired + v_posted,
        overdrawn = g.overdrawn + v_free - v_carried - v_posted
      where g.grant_id = p_grant_id returning * into v_grant;
    perform billing.record_grant('{"actor": "service"}', 'grant.carried', v_before, v_grant, p_now);
    return p_settlement;
  end if;
  update billing.grants g set ended = coalesce(g.ended, 'expired'), remaining = g.reserved, expired = g.expired + v_posted,
      overdrawn = g.overdrawn + v_free - v_posted, notice_at = 'infinity'
    where g.grant_id = p_grant_id returning * into v_grant;
  perform billing.record_grant('{"actor": "service"}', 'grant.expired', v_before, v_grant, p_now);
  return p_settlement;
end $$;

-- How much of an allowance that ends is carried over to the next period: once, by the rule of its schedule as it is then, and only
-- where there is a next period.
create or replace function billing.find_carried(p_grant billing.grants, p_exponent integer) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schedule billing.grant_schedules;
  v_free constant numeric := p_grant.remaining - p_grant.reserved;
begin
  if p_grant.schedule_id is null or p_grant.carried_from is not null or p_grant.ended is not null then
    return 0;
  end if;
  select * into v_schedule from billing.grant_schedules s where s.schedule_id = p_grant.schedule_id;
  if p_grant.expires_at >= v_schedule.ends_at then
    return 0;
  end if;
  return case v_schedule.rollover when 'cap' then least(v_free, v_schedule.rollover_value)
    when 'percent' then round(v_free * v_schedule.rollover_value / 100, p_exponent) else 0 end;
end $$;

-- Creates the grant of the next period of a schedule; its start is due then. Where the wallet has as many grants as it may have, it is
-- voided with this reason.
create or replace function billing.create_period_grant(p_settlement wallet.settlement, p_index integer, p_schedule_id uuid,
  p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account constant wallet.account := p_settlement.accounts[p_index];
  v_schedule billing.grant_schedules;
  v_next timestamptz;
  v_end timestamptz;
  v_grant billing.grants;
begin
  select * into v_schedule from billing.grant_schedules s where s.schedule_id = p_schedule_id;
  v_next := billing.find_next_period(v_schedule, v_schedule.next_at);
  v_end := case v_schedule.rollover when 'all' then 'infinity' else v_next end;
  insert into billing.grants (grant_id, wallet_id, user_id, currency, source, priority, amount, remaining, effective_at, expires_at,
      notice_at, counter_account, pays, is_transferable, unit_cost, cost_currency, refund_grace_s, schedule_id, metadata, created_at)
    values (wallet.new_id(), v_account.wallet_id, v_account.user_id, v_account.currency, v_schedule.source, v_schedule.priority,
      v_schedule.amount, v_schedule.amount, v_schedule.next_at, v_end,
      billing.find_notice(v_schedule.next_at, v_end, v_schedule.notice_s), v_schedule.counter_account, v_schedule.pays,
      v_schedule.is_transferable, v_schedule.unit_cost, v_schedule.cost_currency, v_schedule.refund_grace_s, p_schedule_id,
      v_schedule.metadata, p_now) returning * into v_grant;
  update billing.grant_schedules s set next_at = v_next where s.schedule_id = p_schedule_id;
  perform billing.record_grant('{"actor": "service"}', 'grant.created', null, v_grant, p_now);
  if billing.count_room(v_account.wallet_id) < 0 then
    perform billing.void_unposted(v_grant, 'grant_limit', p_now);
  end if;
  return p_settlement;
end $$;

-- The first begin of a period of a schedule after p_after: midnight of its day of the month in its time zone, or of the last day of a
-- month that is shorter.
create or replace function billing.find_next_period(p_schedule billing.grant_schedules, p_after timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_month timestamp := date_trunc('month', p_after at time zone p_schedule.time_zone);
  v_at timestamptz;
begin
  loop
    v_at := billing.find_midnight(v_month + make_interval(days => least(p_schedule.day_of_month,
      extract(day from v_month + interval '1 month - 1 day')::integer) - 1), p_schedule.time_zone);
    exit when v_at > p_after;
    v_month := v_month + interval '1 month';
  end loop;
  return v_at;
end $$;

-- Records a change of a grant.
create or replace function billing.record_grant(p_caller jsonb, p_type text, p_before jsonb, p_grant billing.grants, p_now timestamptz)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.record_change(p_caller, p_type, p_grant.grant_id::text, p_before, billing.format_grant(p_grant, p_now)::jsonb,
    p_grant.user_id, p_grant.wallet_id);
end $$;
