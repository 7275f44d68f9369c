-- Writes what a call did with grants (ledger: open_room_state.sql).
create or replace function billing.write_grants(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_decided.state;
  v_event billing.grant_event;
begin
  if cardinality(v_state.grants_new) > 0 then
    insert into billing.grants (grant_id, wallet_id, user_id, currency, source, priority, amount, remaining, reserved, used, overdrawn,
        expired, voided, effective_at, expires_at, notice_at, ended, transaction_id, counter_account, pays, is_transferable, unit_cost,
        cost_currency, refund_grace_s, original_grant_id, schedule_id, carried_from, reference, metadata, created_at)
      select n.grant_id, n.wallet_id, n.user_id, n.currency, n.source, n.priority, n.amount, n.remaining, n.reserved, n.used, n.overdrawn,
        n.expired, n.voided, n.effective_at, n.expires_at, n.notice_at, n.ended, n.transaction_id, n.counter_account, n.pays,
        n.is_transferable, n.unit_cost, n.cost_currency, n.refund_grace_s, n.original_grant_id, n.schedule_id, n.carried_from, n.reference,
        n.metadata, n.created_at
      from unnest(v_state.grants_new) n;
  end if;
  if v_state.grants_held is not null then
    update billing.grants g set remaining = s.remaining, reserved = s.reserved, used = s.used, overdrawn = s.overdrawn, voided = s.voided, ended = s.ended,
        void_reason = case when s.ended = 'voided' and g.ended is null then 'request' else g.void_reason end,
        notice_at = case when s.ended is null then g.notice_at else 'infinity' end
      from unnest(v_state.grants_held) h, unnest(h.grants) s where s.changed and g.grant_id = s.grant_id;
  end if;
  if cardinality(v_state.grant_uses) > 0 then
    insert into billing.grant_usages as o (transaction_id, wallet_id, place, grant_id, amount, returned, moved, rest, rest_returned)
      select u.transaction_id, u.wallet_id, u.place, u.grant_id, u.amount, u.returned, u.moved, u.rest, u.rest_returned
      from unnest(v_state.grant_uses) u
      on conflict (transaction_id, wallet_id, place) do update
        set returned = excluded.returned, moved = excluded.moved, rest_returned = excluded.rest_returned;
  end if;
  if cardinality(v_state.grant_moves) > 0 then
    insert into billing.grant_movements (grant_id, moved_at, kind, amount, transaction_id) select m.* from unnest(v_state.grant_moves) m;
  end if;
  foreach v_event in array coalesce(v_state.grant_events, '{}') loop
    perform platform.record_change(v_event.caller, v_event.type, v_event.grant_id::text, v_event.before,
        billing.format_grant(g, wallet.clock())::jsonb, g.user_id, g.wallet_id)
      from billing.grants g where g.grant_id = v_event.grant_id;
  end loop;
end $$;
