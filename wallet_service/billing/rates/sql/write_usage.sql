-- Writes the events that a call rated, their counters, and the totals of their days (ledger: open_room_state.sql).
create or replace function billing.write_usage(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_events billing.usage_events[] := '{}';
  v_op wallet.operation;
begin
  foreach v_op in array p_operations loop
    if v_op.type = 'usage' and p_decided.decisions[v_op.ordinal].fresh then
      v_events := v_events || billing.read_result(v_op, p_decided.decisions[v_op.ordinal].result);
    end if;
  end loop;
  insert into billing.usage_events select e.* from unnest(v_events) e;
  insert into billing.usage_counters as c (wallet_id, rate_card_id, price_dimensions, month, rate_version, quantity, billed, priced)
    select n.wallet_id, n.rate_card_id, n.price_dimensions, n.month, n.rate_version, n.quantity, n.billed, n.priced
    from unnest((p_decided.state).usage_counters) n where n.changed
    on conflict (wallet_id, rate_card_id, month, price_dimensions, rate_version) do update
      set quantity = excluded.quantity, billed = excluded.billed, priced = excluded.priced;
  insert into billing.usage_days as d (wallet_id, day, meter, dimensions, quantity, amount, events)
    select e.wallet_id, e.day, e.meter, e.dimensions, sum(e.quantity), sum(e.amount), count(*) from unnest(v_events) e group by 1, 2, 3, 4
    on conflict (wallet_id, day, meter, dimensions) do update
      set quantity = d.quantity + excluded.quantity, amount = d.amount + excluded.amount, events = d.events + excluded.events;
end $$;

-- The row of an event from the result of its operation.
create or replace function billing.read_result(p_operation wallet.operation, p_result text) returns billing.usage_events
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  r constant jsonb := p_result::jsonb;
  v_rating constant jsonb := r -> 'rating';
  v_amount constant numeric := (r ->> 'amount')::numeric;
begin
  return row(p_operation.transaction_id, p_operation.wallet_id, r ->> 'user_id', p_operation.client_id, coalesce(r ->> 'source', ''),
    r ->> 'event_id', r ->> 'meter', (r ->> 'quantity')::numeric, r -> 'dimensions', (r ->> 'timestamp')::timestamptz,
    (v_rating ->> 'day')::date, (v_rating ->> 'rate_card_id')::uuid, (v_rating ->> 'version')::integer, v_rating -> 'dimensions',
    v_amount, v_amount <> 0, p_result, (r ->> 'created_at')::timestamptz)::billing.usage_events;
end $$;
