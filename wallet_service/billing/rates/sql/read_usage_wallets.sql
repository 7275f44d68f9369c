-- The wallets of events that name a user: for each of p_events {user_id, meter, currency, timestamp, key} its {wallet_id}, or {code, facts}
-- of why there is none. The currency is that of the meter's rate card, unless the event names it. An event of the client that was
-- accepted before has the wallet of then, whichever is the user's primary one now.
create or replace function wallet_api.read_usage_wallets(p_client_id text, p_events jsonb) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select json_agg(billing.find_usage_wallet(p_client_id, e.value) order by e.ordinality)
    from jsonb_array_elements(p_events) with ordinality e), '[]')::text;
end $$;

-- The same for one event.
create or replace function billing.find_usage_wallet(p_client_id text, p_event jsonb) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_user_id constant text := p_event ->> 'user_id';
  v_at constant timestamptz := coalesce(wallet.read_time(p_event ->> 'timestamp'), wallet.clock());
  v_currencies text[] := array[p_event ->> 'currency'];
  v_wallet_id uuid := (select u.wallet_id from wallet.idempotency i join billing.usage_events u on u.usage_id = i.transaction_id
    where i.client_id = p_client_id and i.key = p_event ->> 'key' and u.user_id = v_user_id);
begin
  if v_wallet_id is not null then
    return json_build_object('wallet_id', v_wallet_id);
  elsif v_currencies[1] is null then
    v_currencies := array(select distinct c.currency from billing.rate_cards c
      where c.meter = p_event ->> 'meter' and c.starts_at <= v_at and v_at < c.ends_at order by 1);
    if cardinality(v_currencies) = 0 then
      return case when exists (select from billing.meters m where m.meter = p_event ->> 'meter')
        then json_build_object('code', 'price_not_found', 'facts', json_build_object('meter', p_event ->> 'meter',
          'currency', null, 'dimensions', p_event -> 'dimensions', 'timestamp', wallet.format_time(v_at), 'rate_card_id', null))
        else json_build_object('code', 'meter_not_found', 'facts', json_build_object('meter', p_event ->> 'meter')) end;
    elsif cardinality(v_currencies) > 1 then
      return json_build_object('code', 'validation_failed', 'facts', wallet.build_fault('/currency',
        'must be given, since the meter has rate cards in ' || array_to_string(v_currencies, ', ')));
    end if;
  end if;
  v_wallet_id := wallet.find_wallet(v_user_id, v_currencies[1], null, null);
  return case when v_wallet_id is not null then json_build_object('wallet_id', v_wallet_id)
    else json_build_object('code', 'wallet_not_found', 'facts', json_build_object('user_id', v_user_id, 'currency', v_currencies[1])) end;
end $$;
