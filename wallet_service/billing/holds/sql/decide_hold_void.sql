-- Decides an operation of type hold_void: what a hold still keeps is released. It needs nothing of the wallet: also a frozen one
-- can have it.
create or replace function billing.decide_hold_void(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_before billing.holds := billing.read_hold(p_step.state, p_operation.wallet_id, p_operation.terms ->> 'hold_id');
  v_hold billing.holds := v_before;
begin
  p_step.decision := billing.refuse_change(p_operation, v_hold, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_hold.voided := billing.find_rest(v_hold);
  return billing.end_hold(p_operation, p_step, 'hold.voided', v_before, v_hold, 'voided', p_now);
end $$;

-- Ends a hold: what it still reserves of grants is released.
create or replace function billing.end_hold(p_operation wallet.operation, p_step wallet.step, p_event text, p_before billing.holds,
  p_hold billing.holds, p_state text, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  p_step := billing.release_reserved(p_step, p_hold.wallet_id, billing.list_hold_parts(p_hold), p_now);
  p_hold.state := p_state;
  p_hold.ended_at := greatest(p_now, p_hold.created_at, (p_step.accounts[1]).last_posted_at);
  p_hold.notice_at := 'infinity';
  p_hold.grant_ids := '{}';
  p_hold.grant_amounts := '{}';
  return billing.note_hold(p_operation, p_step, p_event, p_before, p_hold, p_now);
end $$;

-- Decides an operation of type hold_extend: a hold ends later. terms as those of hold.
create or replace function billing.decide_hold_extend(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_at constant timestamptz := greatest(p_now, (p_step.accounts[1]).last_posted_at);
  v_before billing.holds := billing.read_hold(p_step.state, p_operation.wallet_id, p_operation.terms ->> 'hold_id');
  v_hold billing.holds := v_before;
  v_fault text[];
begin
  p_step.decision := billing.refuse_change(p_operation, v_hold, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_hold.expires_at := billing.read_end(p_operation.terms, v_at);
  v_fault := billing.find_end_fault(p_operation.terms, v_hold.expires_at, v_hold.created_at, v_before.expires_at);
  if v_fault is not null then
    p_step.decision := wallet.build_refusal('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
    return p_step;
  end if;
  v_hold.notice_at := billing.find_hold_notice(p_operation.terms, v_hold.expires_at, v_at);
  return billing.note_hold(p_operation, p_step, 'hold.extended', v_before, v_hold, p_now);
end $$;

-- Decides an operation of type hold_increase: a hold keeps more. It needs what a new hold needs.
create or replace function billing.decide_hold_increase(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_before billing.holds := billing.read_hold(p_step.state, p_operation.wallet_id, p_operation.terms ->> 'hold_id');
begin
  p_step.decision := coalesce(billing.refuse_change(p_operation, v_before, p_now), case when p_operation.amount is null
    then wallet.build_refusal('validation_failed', wallet.build_fault('/amount', 'must be given')) end);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  return billing.keep_more(p_operation, p_step, 'hold.increased', v_before, v_before, p_operation.amount, p_now);
end $$;
