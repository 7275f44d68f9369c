-- The state with the counters of an event: those of its wallet, rate card, month and price, of every version; and one of its version.
create or replace function billing.load_counter(p_state wallet.room_state, p_event billing.usage_events, p_month date)
returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_counters billing.usage_counter[] := p_state.usage_counters;
begin
  if billing.find_counter(v_counters, p_event, p_month, null) is null then
    v_counters := v_counters || array(
      select row(c.wallet_id, c.rate_card_id, c.price_dimensions, c.month, c.rate_version, c.quantity, c.billed, c.priced,
        false)::billing.usage_counter
      from billing.usage_counters c where c.wallet_id = p_event.wallet_id and c.rate_card_id = p_event.rate_card_id
        and c.month = p_month and c.price_dimensions = p_event.price_dimensions);
  end if;
  if billing.find_counter(v_counters, p_event, p_month, p_event.rate_version) is null then
    v_counters := v_counters || row(p_event.wallet_id, p_event.rate_card_id, p_event.price_dimensions, p_month, p_event.rate_version,
      0, 0, 0, false)::billing.usage_counter;
  end if;
  p_state.usage_counters := v_counters;
  return p_state;
end $$;

-- The place of a counter of an event: that of a version, or of any (null).
create or replace function billing.find_counter(p_counters billing.usage_counter[], p_event billing.usage_events, p_month date,
  p_version integer) returns integer
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_counter billing.usage_counter;
begin
  for i in 1 .. coalesce(cardinality(p_counters), 0) loop
    v_counter := p_counters[i];
    if v_counter.wallet_id = p_event.wallet_id and v_counter.rate_card_id = p_event.rate_card_id and v_counter.month = p_month
        and v_counter.price_dimensions = p_event.price_dimensions and coalesce(v_counter.rate_version = p_version, true) then
      return i;
    end if;
  end loop;
  return null;
end $$;

-- What was used in the month at the price of an event, by every version.
create or replace function billing.sum_counters(p_counters billing.usage_counter[], p_event billing.usage_events, p_month date)
returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_counter billing.usage_counter;
  v_sum numeric := 0;
begin
  foreach v_counter in array p_counters loop
    if v_counter.wallet_id = p_event.wallet_id and v_counter.rate_card_id = p_event.rate_card_id and v_counter.month = p_month
        and v_counter.price_dimensions = p_event.price_dimensions then
      v_sum := v_sum + v_counter.quantity;
    end if;
  end loop;
  return v_sum;
end $$;
