-- Writes the events that a call rated, their counters, and the totals of their days (ledger: open_room_state.sql).
create or replace function billing.write_usage(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_decisions wallet.decision[] := p_decided.decisions;
  v_op wallet.operation;
  v_clients text[] := '{}';
  v_documents text[] := '{}';
begin
  foreach v_op in array p_operations loop
    if v_op.type = 'usage' and v_decisions[v_op.ordinal].fresh then
      v_clients := v_clients || v_op.client_id;
      v_documents := v_documents || v_decisions[v_op.ordinal].result;
    end if;
  end loop;
  with rated as (
    insert into billing.usage_events as e (usage_id, wallet_id, user_id, client_id, source, event_id, meter, quantity, dimensions, used_at,
        day, rate_card_id, rate_version, price_dimensions, amount, is_posted, document, created_at)
      select u.usage_id, u.wallet_id, u.user_id, n.client_id, coalesce(u.source, ''), u.event_id, u.meter, u.quantity::numeric,
        u.dimensions, u.timestamp::timestamptz, (u.rating).day::date, (u.rating).rate_card_id, (u.rating).version, (u.rating).dimensions,
        u.amount::numeric, u.amount::numeric <> 0, n.document, u.created_at::timestamptz
      from unnest(v_clients, v_documents) as n (client_id, document)
        cross join lateral json_populate_record(null::billing.shown_usage, n.document::json) u
      returning e.wallet_id, e.day, e.meter, e.dimensions, e.quantity, e.amount
  )
  insert into billing.usage_days as d (wallet_id, day, meter, dimensions, quantity, amount, events)
    select e.wallet_id, e.day, e.meter, e.dimensions, sum(e.quantity), sum(e.amount), count(*) from rated e group by 1, 2, 3, 4
    on conflict (wallet_id, day, meter, dimensions) do update
      set quantity = d.quantity + excluded.quantity, amount = d.amount + excluded.amount, events = d.events + excluded.events;
  insert into billing.usage_counters as c (wallet_id, rate_card_id, price_dimensions, month, rate_version, quantity, billed, priced)
    select n.wallet_id, n.rate_card_id, n.price_dimensions, n.month, n.rate_version, n.quantity, n.billed, n.priced
    from unnest((p_decided.state).usage_counters) n where n.changed
    on conflict (wallet_id, rate_card_id, month, price_dimensions, rate_version) do update
      set quantity = excluded.quantity, billed = excluded.billed, priced = excluded.priced;
end $$;
