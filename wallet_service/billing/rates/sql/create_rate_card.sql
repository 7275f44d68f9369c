-- Creates a rate card with its first version, once for each key: {"status":"created"|"replayed","rate_card":{…}}. p_definition: meter,
-- currency, prices, and optionally description, counter_account, time_zone, volume_pricing, effective_at, ends_at.
create or replace function wallet_api.create_rate_card(p_rate_card_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_definition jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_meter billing.meters;
  v_card billing.rate_cards;
  v_document text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_rate_card', p_rate_card_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","rate_card":' || v_spent.response || '}';
  end if;
  -- Cards of a meter are created and changed one after the other.
  select * into v_meter from billing.meters m where m.meter = p_definition ->> 'meter' for update;
  if v_meter.meter is null then
    perform wallet.refuse_call('meter_not_found', jsonb_build_object('meter', p_definition ->> 'meter'));
  end if;
  v_card := billing.read_rate_card(p_rate_card_id, p_definition, v_meter);
  perform billing.refuse_overlap(v_card);
  insert into billing.rate_cards select v_card.*;
  insert into billing.rate_versions (rate_card_id, version, effective_at, prices, created_at)
    values (p_rate_card_id, 1, v_card.starts_at, billing.read_prices(p_definition -> 'prices', v_meter), v_card.created_at);
  v_document := billing.format_rate_card(v_card, true);
  perform platform.keep_response(p_client_id, p_key, v_document);
  perform platform.record_change(p_caller, 'rate_card.created', p_rate_card_id::text, null, v_document::jsonb);
  return '{"status":"created","rate_card":' || v_document || '}';
end $$;

-- A rate card as a caller wrote it, without its prices; refuses the call where it is not one.
create or replace function billing.read_rate_card(p_rate_card_id uuid, p_definition jsonb, p_meter billing.meters)
returns billing.rate_cards
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  d alias for p_definition;
  v_now constant timestamptz := wallet.clock();
  v_card billing.rate_cards := row(p_rate_card_id, p_meter.meter, d ->> 'currency', d ->> 'description',
    coalesce(d ->> 'counter_account', p_meter.counter_account), coalesce(d ->> 'time_zone', 'UTC'),
    coalesce(d ->> 'volume_pricing', 'reached'), 1, coalesce(wallet.read_time(d ->> 'effective_at'), v_now),
    coalesce(wallet.read_time(d ->> 'ends_at'), 'infinity'), v_now, v_now)::billing.rate_cards;
  v_fault text[] := case
    when not exists (select from wallet.currencies c where c.code = d ->> 'currency')
      then array['/currency', 'must be a currency that the service has']
    when length(v_card.description) > 1000 then array['/description', 'must be at most 1000 characters']
    when not billing.is_usage_account(v_card.counter_account) then array['/counter_account', 'must be revenue: or expense: followed by '
      '1 to 100 of A-Z a-z 0-9 . _ : -']
    when not wallet.is_time_zone(v_card.time_zone)
      then array['/time_zone', 'must be a name of the IANA time zone database, such as Europe/Berlin']
    when v_card.volume_pricing not in ('reached', 'difference') then array['/volume_pricing', 'must be reached or difference']
    when d ->> 'effective_at' is not null and wallet.read_time(d ->> 'effective_at') is null
      or v_card.starts_at not between v_now - interval '366 days' and v_now + interval '10 years'
      then array['/effective_at', 'must be a timestamp within a year before and ten years after now']
    when d ->> 'ends_at' is not null and wallet.read_time(d ->> 'ends_at') is null or v_card.ends_at <= v_card.starts_at
      then array['/ends_at', 'must be a timestamp after effective_at']
  end;
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  return v_card;
end $$;

-- Refuses the call where another rate card of the meter and the currency is in force in the time of this one.
create or replace function billing.refuse_overlap(p_card billing.rate_cards) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_other billing.rate_cards;
begin
  select * into v_other from billing.rate_cards c where c.meter = p_card.meter and c.currency = p_card.currency
    and c.rate_card_id <> p_card.rate_card_id and c.starts_at < p_card.ends_at and p_card.starts_at < c.ends_at
    order by c.starts_at limit 1;
  if v_other.rate_card_id is not null then
    perform wallet.refuse_call('rate_card_overlap', jsonb_build_object('meter', p_card.meter, 'currency', p_card.currency,
      'rate_card_id', v_other.rate_card_id, 'starts_at', wallet.format_time(v_other.starts_at),
      'ends_at', case when v_other.ends_at < 'infinity' then wallet.format_time(v_other.ends_at) end));
  end if;
end $$;
