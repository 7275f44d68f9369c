-- Decides an operation of type usage: an event of a meter is rated by the rate card of its moment, and what it costs is posted as
-- consume (ledger: open_room_state.sql). terms: meter, quantity, event_id, and optionally dimensions, timestamp, source. Its
-- idempotency key is that of the event (billing.build_usage_key), so an event counts once, for ever.
create or replace function billing.decide_usage(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_event billing.usage_events := billing.read_usage(p_operation, v_account, p_now);
  v_rate billing.usage_rate := billing.find_usage_rate(v_event.meter, v_account.currency, v_event.used_at);
  v_price jsonb := billing.find_price(v_rate.prices, v_event.dimensions);
  v_state wallet.room_state := p_step.state;
  v_counters billing.usage_counter[];
  v_counter billing.usage_counter;    -- of the version
  v_total billing.usage_counter;      -- of every version
  v_before numeric;
  v_month date;
  v_key text;
  v_place integer;
  v_total_place integer;
  v_rated billing.usage_price;
begin
  p_step.decision := billing.refuse_usage(p_operation, v_event, v_account.currency, v_rate, v_price, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_event.rate_card_id := v_rate.rate_card_id;
  v_event.rate_version := v_rate.version;
  v_event.price_dimensions := v_price -> 'dimensions';
  v_event.day := (v_event.used_at at time zone v_rate.time_zone)::date;
  v_month := date_trunc('month', v_event.day)::date;
  v_key := billing.name_counter(v_event.wallet_id, v_event.rate_card_id, v_month, v_event.price_dimensions);
  v_place := array_position(v_state.usage_keys, v_key || v_rate.version);
  if v_place is null then
    v_state := billing.load_counter(v_state, v_event, v_month, v_key);
    v_place := array_position(v_state.usage_keys, v_key || v_rate.version);
  end if;
  v_total_place := array_position(v_state.usage_keys, v_key);
  v_counters := v_state.usage_counters;
  v_counter := v_counters[v_place];
  v_total := v_counters[v_total_place];
  v_before := v_total.quantity;
  v_rated := billing.price_usage(v_price, v_event.quantity, v_before, v_counter, v_rate.volume_pricing);
  if v_before + v_event.quantity >= 1e20 or abs(v_rated.exact) >= 1e20 - 1 then
    p_step.decision := wallet.build_refusal('validation_failed', wallet.build_fault('/quantity',
      'the quantity of the month, and the amount, have at most 20 digits before the point'));
    return p_step;
  end if;
  v_event.amount := round(v_rated.exact, v_account.exponent);
  v_counter.quantity := v_counter.quantity + v_event.quantity;
  v_counter.billed := v_counter.billed + v_rated.billed;
  v_counter.priced := v_rated.priced;
  v_counter.changed := true;
  v_total.quantity := v_before + v_event.quantity;
  v_counters[v_place] := v_counter;
  v_counters[v_total_place] := v_total;
  v_state.usage_counters := v_counters;
  v_state.marks := coalesce(v_state.marks, 0) | 32;
  p_step.state := v_state;
  p_step := billing.post_usage(p_operation, p_step, v_event, v_rate.counter_account, p_now);
  if (p_step.decision).status = 'posted' then
    p_step.decision.result := billing.format_usage(p_operation, v_event, v_rate.counter_account, v_price, v_rated, v_before,
      v_account, p_now);
  end if;
  return p_step;
end $$;

-- The event of an operation, as far as it can be read.
create or replace function billing.read_usage(p_operation wallet.operation, p_account wallet.account, p_now timestamptz)
returns billing.usage_events
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  t constant jsonb := coalesce(p_operation.terms, '{}');
begin
  return row(p_operation.transaction_id, p_account.wallet_id, p_account.user_id, p_operation.client_id, coalesce(t ->> 'source', ''),
    t ->> 'event_id', t ->> 'meter', billing.read_quantity(t ->> 'quantity'), coalesce(t -> 'dimensions', '{}'),
    case when t ? 'timestamp' then wallet.read_time(t ->> 'timestamp') else greatest(p_now, p_account.last_posted_at) end,
    null, null, null, null, null, null, null, null)::billing.usage_events;
end $$;

-- The meter, and what prices its usage at a moment, in one query. #> reads prices that are stored compressed once.
create or replace function billing.find_usage_rate(p_meter text, p_currency text, p_at timestamptz) returns billing.usage_rate
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_rate billing.usage_rate;
begin
  select m.dimensions, m.max_age_s, c.rate_card_id, c.counter_account, c.time_zone, c.volume_pricing, v.version, v.prices into v_rate
    from billing.meters m
      left join billing.rate_cards c on c.meter = m.meter and c.currency = p_currency and c.starts_at <= p_at and p_at < c.ends_at
      left join lateral (select v.version, v.prices #> '{}' as prices from billing.rate_versions v
        where v.rate_card_id = c.rate_card_id and v.effective_at <= p_at order by v.effective_at desc limit 1) v on true
    where m.meter = p_meter;
  return v_rate;
end $$;

-- A quantity as the caller wrote it: 0 or an amount, of at most 18 decimals; null for anything else.
create or replace function billing.read_quantity(p_text text) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_quantity constant numeric := case when p_text collate "C" ~ '^0+(\.0+)?$' and length(p_text) <= 77 then 0::numeric
    else wallet.read_amount(p_text) end;
begin
  return case when scale(v_quantity) <= 18 then v_quantity end;
end $$;

-- Why an event can't be rated, whatever it costs; null if it can.
create or replace function billing.refuse_usage(p_operation wallet.operation, p_event billing.usage_events, p_currency text,
  p_rate billing.usage_rate, p_price jsonb, p_now timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_skew constant interval := interval '5 minutes';
  v_fault text[] := case
    when p_event.event_id is null or length(p_event.event_id) not between 1 and 255 or p_event.event_id ~ '[\u0001-\u001f\u007f-\u009f]'
      then array['/event_id', 'must be 1 to 255 characters without control characters']
    when length(p_event.source) > 255 or p_event.source ~ '[\u0001-\u001f\u007f-\u009f]'
      then array['/source', 'must be at most 255 characters without control characters']
    when p_operation.idempotency_key <> billing.build_usage_key(p_event.source, p_event.event_id)
      then array['/idempotency_key', 'must be that of the event: billing.build_usage_key']
    when p_event.quantity is null
      then array['/quantity', 'must be a decimal number, 0 or more, of at most 20 digits before the point and 18 after it']
    when p_event.used_at is null then array['/timestamp', 'must be an RFC 3339 timestamp with its offset from UTC']
    when not billing.are_dimensions(p_event.dimensions)
      then array['/dimensions', 'must be an object of at most 10 texts of 1 to 100 characters, of at most 1024 bytes together']
  end;
begin
  if v_fault is not null then
    return wallet.build_refusal('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  if p_rate.dimensions is null then
    return wallet.build_refusal('meter_not_found', jsonb_build_object('meter', p_event.meter));
  elsif p_event.used_at > p_now + c_skew or p_event.used_at < p_now - make_interval(secs => p_rate.max_age_s) then
    return wallet.build_refusal('timestamp_refused', jsonb_build_object('timestamp', wallet.format_time(p_event.used_at),
      'earliest', wallet.format_time(p_now - make_interval(secs => p_rate.max_age_s)), 'latest', wallet.format_time(p_now + c_skew)));
  elsif p_event.dimensions - p_rate.dimensions <> '{}' then
    return wallet.build_refusal('validation_failed', wallet.build_fault('/dimensions/' || replace(replace((
        select min(k collate "C") from jsonb_object_keys(p_event.dimensions - p_rate.dimensions) k), '~', '~0'), '/', '~1'),
      'the meter has no such dimension; it has: ' || coalesce(nullif(array_to_string(p_rate.dimensions, ', '), ''), 'none')));
  elsif p_price is null then
    return wallet.build_refusal('price_not_found', jsonb_build_object('meter', p_event.meter, 'currency', p_currency,
      'dimensions', p_event.dimensions, 'timestamp', wallet.format_time(p_event.used_at), 'rate_card_id', p_rate.rate_card_id));
  end if;
  return null;
end $$;

-- The idempotency key of an event: an event is named by its source and its id.
create or replace function billing.build_usage_key(p_source text, p_event_id text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return 'usage:' || encode(sha256(convert_to(p_source || E'\n' || p_event_id, 'UTF8')), 'hex');
end $$;

-- Whether these are the dimensions of an event or of a price. Their size is bounded, since they are in keys of tables.
create or replace function billing.are_dimensions(p_dimensions jsonb) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_dimensions = '{}' or coalesce(jsonb_typeof(p_dimensions) = 'object' and octet_length(p_dimensions::text) <= 1024
    and jsonb_array_length(jsonb_path_query_array(p_dimensions, 'strict $.*')) <= 10 and not jsonb_path_exists(p_dimensions,
      'strict $.* ? (@.type() != "string" || !(@ like_regex "^[^\\u0001-\\u001f\\u007f-\\u009f]{1,100}$"))'), false);
end $$;

-- The price of an event: the first one whose dimensions the event has; null if there is none.
create or replace function billing.find_price(p_prices jsonb, p_dimensions jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  for i in 0 .. coalesce(jsonb_array_length(p_prices), 0) - 1 loop
    if p_dimensions @> (p_prices -> i -> 'dimensions') then
      return p_prices -> i;
    end if;
  end loop;
  return null;
end $$;

-- Posts what an event costs: a consume, or for a difference below 0 a usage_correction; nothing for 0. It takes from grants as a consume
-- does, here: the part of grants leaves operations of rooms to their rooms.
create or replace function billing.post_usage(p_operation wallet.operation, p_step wallet.step, p_event billing.usage_events,
  p_counter_account text, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_op wallet.operation := p_operation;
begin
  v_op.type := case when p_event.amount < 0 then 'usage_correction' else 'consume' end;
  v_op.form := 'movement';
  v_op.effective_at := p_event.used_at;
  v_op.reference := p_event.event_id;
  p_step.decision := coalesce(case when p_operation.caller ? 'restriction'
      then billing.refuse_restricted(p_operation.caller -> 'restriction', p_event.amount, p_counter_account) end,
    case when v_account.status <> 'active' then wallet.check_movement(v_account, 0) end,
    case when p_event.amount <> 0 then wallet.check_movement(v_account, -p_event.amount) end);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  p_step.decision := row('posted', null, null, v_account.exponent, case when p_event.amount = 0
    then '{}'::wallet.wallet_transactions[] else array[wallet.build_entry(v_op, v_account, 0, -p_event.amount, p_counter_account,
      greatest(p_now, v_account.last_posted_at))] end, true, null)::wallet.decision;
  if p_event.amount > 0 and ((p_step.state).marks & 1) <> 0 then
    p_step := billing.follow_grants(v_op, p_step, p_now);
  end if;
  return p_step;
end $$;

-- The refusal of a key that is restricted to other counter accounts, or to smaller amounts; null if it may.
create or replace function billing.refuse_restricted(p_restriction jsonb, p_amount numeric, p_counter_account text)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_restriction -> 'counter_accounts' is not null and not exists (
      select from jsonb_array_elements_text(p_restriction -> 'counter_accounts') a
      where a = p_counter_account or right(a, 1) = '*' and starts_with(p_counter_account, left(a, -1))) then
    return wallet.build_refusal('forbidden', jsonb_build_object('counter_account', p_counter_account,
      'allowed', p_restriction -> 'counter_accounts'));
  elsif abs(p_amount) > (p_restriction ->> 'max_amount')::numeric then
    return wallet.build_refusal('forbidden', jsonb_build_object('amount', trim_scale(abs(p_amount))::text,
      'max_amount', p_restriction ->> 'max_amount'));
  end if;
  return null;
end $$;
