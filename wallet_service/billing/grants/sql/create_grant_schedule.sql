-- Creates a schedule, once for each key: {"status":"created"|"replayed","schedule":{…}}. Safe to repeat. p_schedule: as read_schedule
-- reads it. A first period that begins now or has begun is granted at once.
create or replace function wallet_api.create_grant_schedule(p_schedule_id uuid, p_wallet_id uuid, p_client_id text, p_key text,
  p_request_hash text, p_schedule jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 20;
  v_spent record;
  v_wallet wallet.wallets;
  v_schedule billing.grant_schedules;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_grant_schedule', p_schedule_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","schedule":' || v_spent.response || '}';
  end if;
  v_wallet := billing.lock_for_schedules(p_wallet_id);
  if not exists (select from billing.grant_schedules s where s.schedule_id = p_schedule_id) then
    if v_wallet.keeping = 'mirrored' then
      perform wallet.refuse_call('wallet_mirrored', jsonb_build_object('wallet_id', p_wallet_id));
    elsif c_most <= (select count(*) from billing.grant_schedules s where s.wallet_id = p_wallet_id) then
      perform wallet.refuse_call('grant_schedule_limit', jsonb_build_object('wallet_id', p_wallet_id, 'limit', c_most));
    end if;
    v_schedule := billing.read_schedule(p_schedule, v_wallet, p_schedule_id, wallet.clock());
    insert into billing.grant_schedules select v_schedule.*;
    perform platform.record_change(p_caller, 'grant_schedule.created', p_schedule_id::text, null,
      billing.format_schedule(v_schedule)::jsonb, v_wallet.user_id, p_wallet_id);
    perform billing.mark_scheduled(v_schedule);
  end if;
  select billing.format_schedule(s) into v_answer from billing.grant_schedules s where s.schedule_id = p_schedule_id;
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","schedule":' || v_answer || '}';
end $$;

-- Locks a wallet whose schedules change, after what was due on it: by the schedules as they were.
create or replace function billing.lock_for_schedules(p_wallet_id uuid) returns wallet.wallets
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet wallet.wallets := wallet.lock_wallet(p_wallet_id, null, null);
begin
  return v_wallet;
end $$;

-- Marks the wallet of a schedule, so that its next period takes effect; at once, if it is due.
create or replace function billing.mark_scheduled(p_schedule billing.grant_schedules) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if p_schedule.next_at < p_schedule.ends_at then
    update wallet.wallets w set marks = w.marks | 1, due_at = least(w.due_at, p_schedule.next_at) where w.wallet_id = p_schedule.wallet_id;
    perform wallet.settle_wallets(array[p_schedule.wallet_id]);
  end if;
end $$;

-- Reads a schedule as a caller wrote it: {amount, source, day_of_month, and optionally priority, time_zone, starts_at, ends_at, rollover,
-- rollover_value, counter_account, pays, is_transferable, unit_cost, cost_currency, refund_grace_s, notice_s, reference, metadata,
-- defaults}. Refuses the call where it is none.
create or replace function billing.read_schedule(p_document jsonb, p_wallet wallet.wallets, p_schedule_id uuid, p_now timestamptz)
returns billing.grant_schedules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_given constant jsonb := billing.merge_defaults(p_document);
  v_fault text[] := billing.find_schedule_fault(v_given, p_now);
  v_schedule billing.grant_schedules;
begin
  if v_fault is null then
    v_schedule := billing.build_schedule(v_given, p_wallet, p_schedule_id, p_now);
    v_fault := case when v_schedule.ends_at <= v_schedule.next_at
      then array['/ends_at', 'must be after the first period begins, at ' || wallet.format_time(v_schedule.next_at)] end;
  end if;
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  perform billing.check_precision(v_schedule, p_wallet);
  return v_schedule;
end $$;

-- Refuses the call where an amount of a schedule has more decimals than the currency.
create or replace function billing.check_precision(p_schedule billing.grant_schedules, p_wallet wallet.wallets) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_wallet.currency);
begin
  if greatest(scale(trim_scale(p_schedule.amount)),
      case p_schedule.rollover when 'cap' then scale(trim_scale(p_schedule.rollover_value)) end) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_wallet.currency, 'exponent', v_exponent));
  end if;
end $$;

-- What is wrong with a schedule, as member and message; null if nothing is.
create or replace function billing.find_schedule_fault(p_given jsonb, p_now timestamptz) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_own constant text[] := '{amount,day_of_month,time_zone,starts_at,ends_at,rollover,rollover_value,counter_account,reference,metadata}';
  c_terms constant text[] := '{source,priority,pays,is_transferable,unit_cost,cost_currency,refund_grace_s,notice_s}';
  v_rollover constant text := coalesce(p_given ->> 'rollover', 'none');
  v_value constant numeric := wallet.read_amount(p_given ->> 'rollover_value');
begin
  return coalesce(billing.find_terms_fault(p_given - c_own, c_terms), case
    when p_given ->> 'source' = 'refund' then array['/source', 'must be purchase, promotion, plan or adjustment']
    when wallet.read_amount(p_given ->> 'amount') is null
      then array['/amount', 'must be a decimal number above 0, with at most 20 digits before the point']
    when not p_given ? 'day_of_month' or not billing.is_whole(p_given -> 'day_of_month', 1, 31)
      then array['/day_of_month', 'must be a whole number from 1 to 31']
    when not wallet.is_time_zone(coalesce(p_given ->> 'time_zone', 'UTC'))
      then array['/time_zone', 'must be a name of the IANA time zone database, such as Europe/Berlin']
    when not billing.is_moment(p_given -> 'starts_at') then array['/starts_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when not billing.is_moment(p_given -> 'ends_at') then array['/ends_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when v_rollover not in ('none', 'all', 'cap', 'percent') then array['/rollover', 'must be none, all, cap or percent']
    when v_rollover in ('none', 'all') and p_given ? 'rollover_value' then array['/rollover_value', 'only the rollovers cap and percent have one']
    when v_rollover = 'cap' and v_value is null then array['/rollover_value', 'must be the amount that is carried over at most, above 0']
    when v_rollover = 'percent' and (v_value is null or v_value > 100 or scale(v_value) > 18)
      then array['/rollover_value', 'must be above 0 and at most 100 percent']
    when not billing.are_accounts(jsonb_build_array(coalesce(p_given -> 'counter_account', '"promotions"')))
      then array['/counter_account', 'must be a counter account, such as promotions:plan']
    when p_given ->> 'reference' !~ '^[^\u0001-\u001f\u007f-\u009f]{1,255}$'
      then array['/reference', 'must be 1 to 255 characters without control characters']
    when p_given ? 'metadata' and wallet.find_metadata_fault(p_given -> 'metadata') is not null
      then array['/metadata', wallet.find_metadata_fault(p_given -> 'metadata')]
    when wallet.read_time(p_given ->> 'starts_at') < p_now - interval '31 days'
        or wallet.read_time(p_given ->> 'starts_at') > p_now + interval '10 years'
      then array['/starts_at', 'must be within 31 days before and ten years after now']
  end);
end $$;

-- The row of a new schedule; what it is read from has no fault.
create or replace function billing.build_schedule(p_given jsonb, p_wallet wallet.wallets, p_schedule_id uuid, p_now timestamptz)
returns billing.grant_schedules
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_schedule billing.grant_schedules;
begin
  v_schedule.schedule_id := p_schedule_id;
  v_schedule.wallet_id := p_wallet.wallet_id;
  v_schedule.user_id := p_wallet.user_id;
  v_schedule.amount := wallet.read_amount(p_given ->> 'amount');
  v_schedule.source := p_given ->> 'source';
  v_schedule.priority := coalesce((p_given ->> 'priority')::numeric, 100);
  v_schedule.day_of_month := (p_given ->> 'day_of_month')::numeric;
  v_schedule.time_zone := coalesce(p_given ->> 'time_zone', 'UTC');
  v_schedule.rollover := coalesce(p_given ->> 'rollover', 'none');
  v_schedule.rollover_value := wallet.read_amount(p_given ->> 'rollover_value');
  v_schedule.starts_at := coalesce(wallet.read_time(p_given ->> 'starts_at'), p_now);
  v_schedule.ends_at := coalesce(wallet.read_time(p_given ->> 'ends_at'), 'infinity');
  v_schedule.next_at := billing.find_next_period(v_schedule, v_schedule.starts_at - interval '1 microsecond');
  v_schedule.counter_account := coalesce(p_given ->> 'counter_account', billing.find_source_account(v_schedule.source));
  v_schedule.pays := billing.read_accounts(p_given -> 'pays');
  v_schedule.is_transferable := coalesce((p_given ->> 'is_transferable')::boolean, false);
  v_schedule.unit_cost := wallet.read_amount(p_given ->> 'unit_cost');
  v_schedule.cost_currency := p_given ->> 'cost_currency';
  v_schedule.refund_grace_s := coalesce((p_given ->> 'refund_grace_s')::numeric, 0);
  v_schedule.notice_s := coalesce((p_given ->> 'notice_s')::numeric, 0);
  v_schedule.reference := p_given ->> 'reference';
  v_schedule.metadata := coalesce(p_given -> 'metadata', '{}');
  v_schedule.version := 1;
  v_schedule.created_at := p_now;
  v_schedule.updated_at := p_now;
  return v_schedule;
end $$;
