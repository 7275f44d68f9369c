-- Adds a version to a rate card, once for each key: {"status":"created"|"replayed","rate_card":{…}}. p_definition: prices, and
-- optionally effective_at. What was rated keeps its rating, so a version begins now or later, and after the versions before it.
create or replace function wallet_api.add_rate_version(p_rate_card_id uuid, p_request_id uuid, p_client_id text, p_key text,
  p_request_hash text, p_definition jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most constant integer := 100;
  v_spent record;
  v_now constant timestamptz := wallet.clock();
  v_at timestamptz := coalesce(wallet.read_time(p_definition ->> 'effective_at'), v_now);
  v_card billing.rate_cards;
  v_before jsonb;
  v_document text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'add_rate_version', p_request_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","rate_card":' || v_spent.response || '}';
  end if;
  v_card := billing.lock_rate_card(p_rate_card_id);
  v_before := billing.format_rate_card(v_card, true)::jsonb;
  if v_card.ends_at <= v_now then
    perform wallet.refuse_call('rate_card_ended', jsonb_build_object('rate_card_id', p_rate_card_id,
      'ends_at', wallet.format_time(v_card.ends_at)));
  elsif v_card.version >= c_most then
    perform wallet.refuse_call('rate_version_limit', jsonb_build_object('rate_card_id', p_rate_card_id, 'limit', c_most));
  elsif v_at < v_now or v_at >= v_card.ends_at
      or p_definition ->> 'effective_at' is not null and wallet.read_time(p_definition ->> 'effective_at') is null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/effective_at',
      'must be a timestamp, not in the past, and before the end of the rate card: what was rated keeps its rating'));
  end if;
  perform billing.refuse_version_overlap(v_card, v_at);
  insert into billing.rate_versions (rate_card_id, version, effective_at, prices, created_at)
    select p_rate_card_id, v_card.version + 1, v_at, billing.read_prices(p_definition -> 'prices', m), v_now
      from billing.meters m where m.meter = v_card.meter;
  update billing.rate_cards c set version = c.version + 1, updated_at = v_now where c.rate_card_id = p_rate_card_id
    returning * into v_card;
  v_document := billing.format_rate_card(v_card, true);
  perform platform.keep_response(p_client_id, p_key, v_document);
  perform platform.record_change(p_caller, 'rate_card.updated', p_rate_card_id::text, v_before, v_document::jsonb);
  return '{"status":"created","rate_card":' || v_document || '}';
end $$;

-- Refuses the call where a version that begins then would overlap with one that begins at the same time, or later.
create or replace function billing.refuse_version_overlap(p_card billing.rate_cards, p_at timestamptz) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_last billing.rate_versions;
begin
  select * into v_last from billing.rate_versions v where v.rate_card_id = p_card.rate_card_id order by v.effective_at desc limit 1;
  if p_at <= v_last.effective_at then
    perform wallet.refuse_call('rate_version_overlap', jsonb_build_object('rate_card_id', p_card.rate_card_id,
      'version', v_last.version, 'effective_at', wallet.format_time(v_last.effective_at)));
  end if;
end $$;

-- Ends a rate card at a moment, now by default. An end can be moved as long as it has not come; the rate card.
create or replace function wallet_api.end_rate_card(p_rate_card_id uuid, p_ends_at text default null, p_caller jsonb default null)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_card billing.rate_cards;
  v_before billing.rate_cards;
  v_at timestamptz;
begin
  perform wallet.require_read_committed();
  v_before := billing.lock_rate_card(p_rate_card_id);
  v_at := coalesce(wallet.read_time(p_ends_at), greatest(v_now, v_before.starts_at));
  if v_before.ends_at <= v_now and (p_ends_at is null or v_at = v_before.ends_at) or v_at = v_before.ends_at then
    return billing.format_rate_card(v_before, true);
  elsif v_before.ends_at <= v_now then
    perform wallet.refuse_call('rate_card_ended', jsonb_build_object('rate_card_id', p_rate_card_id,
      'ends_at', wallet.format_time(v_before.ends_at)));
  elsif v_at < v_now or v_at < v_before.starts_at or p_ends_at is not null and wallet.read_time(p_ends_at) is null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/ends_at',
      'must be a timestamp, not in the past, and not before the rate card begins'));
  end if;
  v_card := v_before;
  v_card.ends_at := v_at;
  perform billing.refuse_overlap(v_card);
  update billing.rate_cards c set ends_at = v_at, updated_at = v_now where c.rate_card_id = p_rate_card_id returning * into v_card;
  perform platform.record_change(p_caller, 'rate_card.ended', p_rate_card_id::text, billing.format_rate_card(v_before, true)::jsonb,
    billing.format_rate_card(v_card, true)::jsonb);
  return billing.format_rate_card(v_card, true);
end $$;

-- A rate card, for a change: the meter is locked first, then the card is read.
create or replace function billing.lock_rate_card(p_rate_card_id uuid) returns billing.rate_cards
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_card billing.rate_cards;
begin
  perform from billing.meters m where m.meter = (select c.meter from billing.rate_cards c where c.rate_card_id = p_rate_card_id) for update;
  select * into v_card from billing.rate_cards c where c.rate_card_id = p_rate_card_id;
  if v_card.rate_card_id is null then
    perform wallet.refuse_call('rate_card_not_found', jsonb_build_object('rate_card_id', p_rate_card_id));
  end if;
  return v_card;
end $$;
