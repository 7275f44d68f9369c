-- Checks the debits of an operation with the limits of their wallets, and counts them (ledger: open_room_state.sql). Open holds that
-- would pay what a limit counts are in it, so a capture, which spends as much as it releases, adds nothing and is never refused; what it
-- takes beyond its hold is. A limit per transaction includes what one capture could take of the hold.
create or replace function billing.follow_limits(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_limits billing.limit_state[] := v_state.limits;
  v_used numeric[] := v_state.limits_used;
  v_limit billing.limit_state;
  v_entry wallet.wallet_transactions;
  v_account wallet.account;
  v_by_room constant boolean := p_operation.form = 'room';
  v_change billing.hold_change := v_state.hold_change;
  v_of_hold boolean;    -- the operation changed a hold that the limit counts
  v_amount numeric;
  v_more numeric;    -- v_amount, and what is locked or unlocked with it
  v_at timestamptz;
begin
  if p_operation.form in ('refund', 'adjustment') then
    return p_step;
  end if;
  for i in 1 .. coalesce(cardinality(v_limits), 0) loop
    v_limit := v_limits[i];
    v_amount := 0;
    foreach v_entry in array coalesce((p_step.decision).entries, '{}') loop
      if v_entry.wallet_id = v_limit.wallet_id and v_entry.direction = 'debit'
          and (v_limit.pattern is null or v_entry.counter_account like v_limit.pattern)
          and (not v_by_room or billing.is_spending(v_entry.transaction_type)) then
        v_amount := v_amount + v_entry.amount;
        v_at := v_entry.created_at;
      end if;
    end loop;
    v_more := v_amount;
    if v_by_room then
      v_account := billing.find_account(p_step.accounts, v_limit.wallet_id);
      continue when v_account is null;
      v_of_hold := v_change.transaction_id = p_operation.transaction_id
        and (v_limit.pattern is null or v_change.counter_account like v_limit.pattern);
      v_more := v_amount + case when v_of_hold then v_change.amount else 0 end;
      v_state.limits_locked[i] := v_state.limits_locked[i] + v_more - v_amount;
      v_at := greatest(p_now, v_account.last_posted_at);
    end if;
    continue when v_amount = 0 and v_more <= 0;
    if v_at <> v_limit.rolled_at then
      v_limit.used := v_used[i];
      v_limit := billing.roll_limit(v_limit, v_at);
      v_limits[i] := v_limit;
      v_used[i] := v_limit.used;
    end if;
    if v_more > 0 and v_limit.amount < (case when v_limit.period <> 'transaction' then v_used[i] + v_amount + v_state.limits_locked[i]
        when v_of_hold then greatest(v_amount, v_change.rest) else v_amount end) then
      p_step.decision := billing.refuse_limit(v_limit, v_used[i], v_state.limits_locked[i], v_amount, v_more, v_at);
      return p_step;
    end if;
    if v_limit.period <> 'transaction' and v_amount > 0 then
      v_used[i] := v_used[i] + v_amount;
      if v_limit.ends_at = 'infinity' then    -- the first in the rolling window
        v_limits[i].ends_at := v_at + v_limit.span;
      end if;
    end if;
  end loop;
  v_state.limits := v_limits;
  v_state.limits_used := v_used;
  p_step.state := v_state;
  return p_step;
end $$;

-- The account of a wallet, or null.
create or replace function billing.find_account(p_accounts wallet.account[], p_wallet_id uuid) returns wallet.account
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account;
begin
  foreach v_account in array coalesce(p_accounts, '{}') loop
    if v_account.wallet_id = p_wallet_id then
      return v_account;
    end if;
  end loop;
  return null;
end $$;

-- The refusal of an operation that would exceed a limit. p_locked: what holds keep, with what the operation would.
create or replace function billing.refuse_limit(p_limit billing.limit_state, p_used numeric, p_locked numeric, p_amount numeric,
  p_more numeric, p_at timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_counts constant boolean := p_limit.period <> 'transaction';
  -- Before the operation.
  v_used constant numeric := case when v_counts then p_used else 0 end;
  v_reserved constant numeric := case when v_counts then greatest(0, p_locked - (p_more - p_amount)) else 0 end;
begin
  return wallet.build_refusal('limit_exceeded', jsonb_build_object('wallet_id', p_limit.wallet_id, 'limit_id', p_limit.limit_id,
    'set_by', p_limit.set_by, 'period', p_limit.period, 'counter_account', p_limit.counter_account,
    'limit_amount', wallet.format_amount(p_limit.amount, p_limit.exponent),
    'used', wallet.format_amount(v_used, p_limit.exponent),
    'reserved', wallet.format_amount(v_reserved, p_limit.exponent),
    'remaining', wallet.format_amount(greatest(0, p_limit.amount - v_used - v_reserved), p_limit.exponent),
    'resets_at', case when v_counts and v_reserved + p_more <= p_limit.amount
      then wallet.format_time(billing.find_reset(p_limit, v_used + v_reserved + p_more - p_limit.amount, p_at)) end));
end $$;

-- When so much of what is used no longer counts: at the end of a calendar period; with a rolling window, when enough has fallen out.
-- The checkpoint before that place is found by bisection, the place by the running sum of at most 1,000 entries.
create or replace function billing.find_reset(p_limit billing.limit_state, p_enough numeric, p_at timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_low bigint := p_limit.tail / 1000;     -- its checkpoint is too early, or before the tail
  v_high bigint := p_limit.last_entry / 1000 + 1;    -- enough has fallen out there, or there is no such checkpoint
  v_middle bigint;
  v_from bigint;
  v_fallen numeric;
  v_out timestamptz;
begin
  if p_limit.period <> 'rolling' then
    return p_limit.ends_at;
  end if;
  while v_high - v_low > 1 loop
    v_middle := (v_low + v_high) / 2;
    if billing.sum_spent(p_limit.wallet_id, p_limit.counter_account, p_limit.tail, v_middle * 1000, p_limit.last_entry) >= p_enough then
      v_high := v_middle;
    else
      v_low := v_middle;
    end if;
  end loop;
  v_from := greatest(p_limit.tail, v_low * 1000);
  v_fallen := billing.sum_spent(p_limit.wallet_id, p_limit.counter_account, p_limit.tail, v_from, p_limit.last_entry);
  select s.created_at into v_out from (
    select t.wallet_version, t.created_at, sum(t.amount) over (order by t.wallet_version) as fallen
    from wallet.wallet_transactions t
    where t.wallet_id = p_limit.wallet_id and t.wallet_version > v_from
      and t.wallet_version <= least(v_high * 1000, p_limit.last_entry) and t.direction = 'debit'
      and billing.is_spending(t.transaction_type) and billing.is_limited(p_limit.counter_account, t.counter_account)) s
    where v_fallen + s.fallen >= p_enough order by s.wallet_version limit 1;
  return coalesce(v_out, p_at) + p_limit.span;
end $$;
