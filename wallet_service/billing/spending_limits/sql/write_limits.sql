-- Writes the counters of limits (ledger: open_room_state.sql).
create or replace function billing.write_limits(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_decided.state;
  v_limits billing.limit_state[] := v_state.limits;
begin
  for i in 1 .. coalesce(cardinality(v_limits), 0) loop
    v_limits[i].used := v_state.limits_used[i];
  end loop;
  update billing.spending_limits l set used = s.used, starts_at = s.starts_at, ends_at = s.ends_at, tail = s.tail
    from unnest(v_limits) s
    where l.limit_id = s.limit_id and (l.used <> s.used or l.starts_at <> s.starts_at or l.ends_at <> s.ends_at or l.tail <> s.tail);
end $$;
