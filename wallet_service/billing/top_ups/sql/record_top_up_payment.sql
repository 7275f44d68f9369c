-- Records what the payment service says of the payment of a top-up: p_status pending | succeeded | failed | refunded; p_failure: why it
-- failed, {code, detail}; p_payment_id null: it was refused before there was one. What does not follow from the present state changes
-- nothing: an old response that arrives late, the payment of another key. Returns the state. next_top_up_step.sql has the states.
create or replace function wallet_api.record_top_up_payment(p_top_up_id uuid, p_payment_id text, p_status text,
  p_failure jsonb default null, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_before constant billing.top_ups := billing.lock_top_up(p_top_up_id);
  v_state constant text := billing.find_next_state(v_before.state, p_status);
  v_now constant timestamptz := wallet.clock();
  v_after billing.top_ups;
begin
  if v_before.payment_id <> p_payment_id or v_state is null then
    return to_json(v_before.state)::text;
  end if;
  update billing.top_ups t set state = v_state, payment_id = coalesce(t.payment_id, p_payment_id), updated_at = v_now,
      looks = t.looks + case v_state when 'pending' then 1 else 0 end,
      job_id = case v_state when 'pending' then billing.follow_payment(t, v_now) else t.job_id end,
      failure = case v_state when 'declined' then coalesce(p_failure, billing.build_failure('payment_failed', 'The payment failed'))
        when 'failed' then billing.build_failure('payment_refunded', 'The payment was refunded before it was deposited') end,
      ended_at = case when v_state in ('declined', 'failed', 'refunded') then v_now end
    where t.top_up_id = p_top_up_id returning * into v_after;
  case
    when v_state = v_before.state then null;    -- pending, still
    when v_state = 'pending' then perform billing.record_top_up(p_caller, 'top_up.pending', v_before, v_after);
    when v_state = 'charged' then perform billing.record_top_up(p_caller, 'top_up.charged', v_before, v_after);
    when v_state = 'refunded' then perform billing.record_top_up(p_caller, 'top_up.refunded', v_before, v_after);
    when v_state = 'failed' then perform billing.record_failed_top_up(p_caller, v_before, v_after);
    when v_state = 'declined' then
      perform billing.record_top_up(p_caller, 'top_up.declined', v_before, v_after);
      perform billing.count_decline(v_after, v_now, p_caller);
  end case;
  return to_json(v_after.state)::text;
end $$;

-- The job that looks at a pending payment again: the one that waits already, or a new one. The pause grows from 5 s to an hour.
create or replace function billing.follow_payment(p_top_up billing.top_ups, p_now timestamptz) returns uuid
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return case when exists (select from platform.jobs j where j.job_id = p_top_up.job_id and j.status = 'queued') then p_top_up.job_id
    else billing.enqueue_top_up(p_top_up.top_up_id, null,
      p_now + make_interval(secs => least(5 * 2 ^ least(p_top_up.looks, 20), 3600))) end;
end $$;

-- The state that follows from what the payment service says; null: none, the top-up stays as it is.
create or replace function billing.find_next_state(p_state text, p_status text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_state in ('charging', 'pending') then
      case p_status when 'pending' then 'pending' when 'succeeded' then 'charged' when 'failed' then 'declined' when 'refunded' then 'failed' end
    when p_state = 'declined' and p_status = 'succeeded' then 'charged'
    when p_state = 'charged' and p_status = 'refunded' then 'failed'
    when p_state = 'completed' and p_status = 'refunded' then 'refunded'
  end;
end $$;

-- Counts a decline of the rule of a wallet, which pauses: longer after each decline in a row, a day at most, and after too many until it
-- is set again. One of a top-up on request does not count; then the wallet may need one by its rule.
create or replace function billing.count_decline(p_top_up billing.top_ups, p_now timestamptz, p_caller jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  c_longest_s constant integer := 86400;
  v_rule billing.top_up_rules;
begin
  if p_top_up.trigger = 'request' then
    perform billing.trigger_if_low(p_top_up.wallet_id);
    return;
  end if;
  update billing.top_up_rules r set declines = r.declines + 1
    where r.wallet_id = p_top_up.wallet_id and r.is_set and r.updated_at <= p_top_up.started_at returning * into v_rule;
  if v_rule.wallet_id is null then
    perform billing.trigger_if_low(p_top_up.wallet_id);
  elsif v_rule.declines >= v_rule.max_declines then
    perform billing.pause_top_ups(v_rule, 'too_many_declines', 'infinity', p_caller);
  else
    perform billing.pause_top_ups(v_rule, 'declined',
      p_now + make_interval(secs => least(v_rule.backoff_s * 2 ^ (v_rule.declines - 1), c_longest_s)), p_caller);
  end if;
end $$;

-- Starts the next top-up of a wallet that the caller has locked, if it needs one.
create or replace function billing.trigger_if_low(p_wallet_id uuid) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform billing.trigger_top_up(w.wallet_id, w.balance - w.locked_balance)
    from wallet.wallets w where w.wallet_id = p_wallet_id and w.status = 'active';
end $$;

-- Records that a charge could not be deposited, and pauses the rule: a person has to look.
create or replace function billing.record_failed_top_up(p_caller jsonb, p_before billing.top_ups, p_after billing.top_ups) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform billing.record_top_up(p_caller, 'top_up.failed', p_before, p_after);
  perform billing.pause_top_ups(r, 'failed', 'infinity', p_caller)
    from billing.top_up_rules r where r.wallet_id = p_after.wallet_id and r.is_set and p_after.trigger = 'rule';
end $$;

-- Records that the deposit of a top-up is in the ledger. If the wallet is low all the same, the next top-up starts. Returns the state.
create or replace function wallet_api.complete_top_up(p_top_up_id uuid, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_before constant billing.top_ups := billing.lock_top_up(p_top_up_id);
  v_now constant timestamptz := wallet.clock();
  v_after billing.top_ups;
begin
  if v_before.state <> 'charged' then
    return to_json(v_before.state)::text;
  elsif not exists (select from wallet.wallet_transactions t where t.transaction_id = v_before.transaction_id and t.leg = 0) then
    perform wallet.refuse_call('transaction_not_found', jsonb_build_object('transaction_id', v_before.transaction_id));
  end if;
  update billing.top_ups t set state = 'completed', ended_at = v_now, updated_at = v_now where t.top_up_id = p_top_up_id
    returning * into v_after;
  perform billing.record_top_up(p_caller, 'top_up.completed', v_before, v_after);
  if v_after.trigger = 'rule' then
    update billing.top_up_rules r set declines = 0 where r.wallet_id = v_after.wallet_id and r.declines > 0;
  end if;
  perform billing.trigger_if_low(v_after.wallet_id);
  return to_json(v_after.state)::text;
end $$;

-- Records that the ledger refused the deposit of what was charged. Returns the state.
create or replace function wallet_api.fail_top_up(p_top_up_id uuid, p_failure jsonb, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_before constant billing.top_ups := billing.lock_top_up(p_top_up_id);
  v_now constant timestamptz := wallet.clock();
  v_after billing.top_ups;
begin
  if v_before.state <> 'charged' then
    return to_json(v_before.state)::text;
  end if;
  update billing.top_ups t set state = 'failed', failure = p_failure, ended_at = v_now, updated_at = v_now
    where t.top_up_id = p_top_up_id returning * into v_after;
  perform billing.record_failed_top_up(p_caller, v_before, v_after);
  return to_json(v_after.state)::text;
end $$;
