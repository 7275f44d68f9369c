-- Writes what a call did with holds (ledger: open_room_state.sql).
create or replace function billing.write_holds(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_decided.state;
  v_event billing.hold_event;
begin
  if v_state.holds is null then
    return;
  end if;
  insert into billing.holds as o select n.* from unnest(v_state.holds) n
    on conflict (hold_id) do update set state = excluded.state, authorised = excluded.authorised, captured = excluded.captured,
      voided = excluded.voided, overage = excluded.overage, grant_ids = excluded.grant_ids, grant_amounts = excluded.grant_amounts,
      expires_at = excluded.expires_at, notice_at = excluded.notice_at, ended_at = excluded.ended_at;
  insert into billing.hold_captures select c.* from unnest(v_state.hold_captures) c;
  foreach v_event in array v_state.hold_events loop
    perform platform.record_change(v_event.caller, v_event.type, v_event.hold_id::text, v_event.before, v_event.after, v_event.user_id,
      v_event.wallet_id);
  end loop;
end $$;
