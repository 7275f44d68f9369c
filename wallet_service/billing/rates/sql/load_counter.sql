-- The state with the counters of an event: those of its wallet, rate card, month and price, of every version; one of its version, and
-- under the key of none, version 0, what every version counted.
create or replace function billing.load_counter(p_state wallet.room_state, p_event billing.usage_events, p_month date, p_key text)
returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_counters billing.usage_counter[] := '{}';
  v_keys text[] := '{}';
  v_counter billing.usage_counter;
  v_sum numeric := 0;
begin
  if array_position(p_state.usage_keys, p_key) is null then
    for v_counter in select c.wallet_id, c.rate_card_id, c.price_dimensions, c.month, c.rate_version, c.quantity, c.billed, c.priced, false
        from billing.usage_counters c where c.wallet_id = p_event.wallet_id and c.rate_card_id = p_event.rate_card_id
          and c.month = p_month and c.price_dimensions = p_event.price_dimensions loop
      v_counters := v_counters || v_counter;
      v_keys := v_keys || (p_key || v_counter.rate_version);
      v_sum := v_sum + v_counter.quantity;
    end loop;
    v_counters := v_counters || row(null, null, null, null, 0, v_sum, 0, 0, false)::billing.usage_counter;
    v_keys := v_keys || p_key;
  end if;
  if array_position(v_keys, p_key || p_event.rate_version) is null then
    v_counters := v_counters || row(p_event.wallet_id, p_event.rate_card_id, p_event.price_dimensions, p_month, p_event.rate_version,
      0, 0, 0, false)::billing.usage_counter;
    v_keys := v_keys || (p_key || p_event.rate_version);
  end if;
  p_state.usage_counters := p_state.usage_counters || v_counters;
  p_state.usage_keys := p_state.usage_keys || v_keys;
  return p_state;
end $$;

-- The key of what a wallet uses in a month at a price. With the number of a version, that of the version's counter.
create or replace function billing.name_counter(p_wallet_id uuid, p_rate_card_id uuid, p_month date, p_price_dimensions jsonb)
returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_wallet_id || ' ' || p_rate_card_id || ' ' || p_month || ' ' || p_price_dimensions || ' ';
end $$;
