-- Writes the alerts that a call has changed, and records each crossing (ledger: open_room_state.sql).
create or replace function billing.write_alerts(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_crossing billing.alert_crossing;
begin
  if (p_decided.state).alerts_held is null then
    return;
  end if;
  update billing.alerts l set state = h.state, granted = h.granted, quiet_above = h.quiet_above, quiet_below = h.quiet_below,
      crossed_at = h.crossed_at, crossed_balance = h.crossed_balance, transaction_id = h.transaction_id
    from unnest((p_decided.state).alerts_held) h
    where l.alert_id = h.alert_id and (l.state, l.granted, l.quiet_above, l.quiet_below, l.crossed_at)
      is distinct from (h.state, h.granted, h.quiet_above, h.quiet_below, h.crossed_at);
  foreach v_crossing in array coalesce((p_decided.state).alert_crossings, '{}') loop
    perform platform.record_change(v_crossing.caller, v_crossing.type, v_crossing.alert_id::text, v_crossing.before, v_crossing.after,
      v_crossing.user_id, v_crossing.wallet_id);
  end loop;
end $$;
