-- Reads the limits of the marked wallets of a call, with their counters (ledger: open_room_state.sql).
create or replace function billing.open_limits(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_settlement.state;
  v_limit billing.limit_state;
begin
  select array_agg(billing.read_limit(l, w.last_entry, a.exponent, greatest(p_now, a.last_posted_at))
        order by l.wallet_id, l.set_by, l.place),
      array_agg(billing.sum_held(l.wallet_id, a.locked_balance, l.counter_account) order by l.wallet_id, l.set_by, l.place)
    into v_state.limits, v_state.limits_locked
    from unnest(p_settlement.accounts) a join wallet.wallets w on w.wallet_id = a.wallet_id
      join billing.spending_limits l on l.wallet_id = a.wallet_id
    where (a.marks & 4) <> 0;
  foreach v_limit in array coalesce(v_state.limits, '{}') loop
    v_state.limits_used := v_state.limits_used || v_limit.used;
  end loop;
  p_settlement.state := v_state;
  return p_settlement;
end $$;

-- What the open holds of a wallet keep for what a limit counts. p_locked: what they keep together.
create or replace function billing.sum_held(p_wallet_id uuid, p_locked numeric, p_limited text) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_limited is null or p_locked = 0 then p_locked
    else (select coalesce(sum(h.authorised - h.captured), 0) from billing.holds h
      where h.wallet_id = p_wallet_id and h.state = 'open' and h.counter_account like billing.build_pattern(p_limited)) end;
end $$;

-- A limit as it counts at a moment.
create or replace function billing.read_limit(p_limit billing.spending_limits, p_last bigint, p_exponent integer, p_at timestamptz)
returns billing.limit_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_span constant interval := make_interval(secs => coalesce(p_limit.window_s, 0));
  v_limit constant billing.limit_state := row(p_limit.limit_id, p_limit.wallet_id, p_limit.set_by, p_limit.period, p_limit.time_zone,
    v_span, p_limit.counter_account, billing.build_pattern(p_limit.counter_account), p_limit.amount, p_limit.used,
    p_limit.starts_at, p_limit.ends_at, p_limit.tail, p_last, p_exponent, p_at);
begin
  return case when p_at - v_span >= p_limit.starts_at and p_at < p_limit.ends_at then v_limit
    else billing.roll_limit(v_limit, p_at) end;
end $$;
