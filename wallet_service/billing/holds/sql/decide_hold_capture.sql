-- Decides an operation of type hold_capture: an amount of a hold (all that it keeps, without one) is debited, as an entry of the type that
-- terms name, consume by default. terms: hold_id, type, final (the rest is released), overage (beyond what the hold keeps: refuse;
-- take_available, as far as the wallet has it; allow_to_limit, as far as its credit limit allows). What is within the hold needs nothing
-- of the wallet but that it is kept: also a frozen one can have it, but not by the token of a user.
create or replace function billing.decide_hold_capture(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_before billing.holds := billing.read_hold(p_step.state, v_account.wallet_id, p_operation.terms ->> 'hold_id');
  v_hold billing.holds := v_before;
  v_rest constant numeric := billing.find_rest(v_before);
  v_wanted constant numeric := coalesce(p_operation.amount, v_rest);
  v_within constant numeric := least(v_wanted, v_rest);
  v_beyond numeric := v_wanted - v_within;
  v_counter_account constant text := coalesce(p_operation.counter_account, v_hold.counter_account);
  v_parts billing.grant_part[];
  v_op wallet.operation := p_operation;
  v_entry wallet.wallet_transactions;
begin
  p_step.decision := coalesce(billing.refuse_change(p_operation, v_hold, p_now),
    billing.refuse_capture(p_operation, v_account, v_hold, v_wanted, v_rest));
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  p_step := billing.pick_reserved(p_step, v_hold, v_within, v_counter_account);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_parts := (p_step.state).hold_parts;
  if v_beyond > 0 then
    v_beyond := least(v_beyond, billing.find_takeable(p_step, p_operation.terms ->> 'overage', v_counter_account, p_now));
  end if;
  p_step.state := billing.take_captured(p_step.state, v_account.wallet_id, v_parts, v_op.transaction_id, v_within, v_beyond,
    v_counter_account, p_now);
  v_op.type := coalesce(p_operation.terms ->> 'type', 'consume');
  v_op.metadata := v_op.metadata || jsonb_build_object('hold_id', v_hold.hold_id);
  v_entry := wallet.build_entry(v_op, v_account, 0, -(v_within + v_beyond), v_counter_account,
    greatest(p_now, v_account.last_posted_at));
  p_step.decision := row('posted', null, null, v_account.exponent, array[v_entry], true, null)::wallet.decision;
  p_step.state := billing.note_capture(p_step.state, row(v_op.transaction_id, v_hold.hold_id, v_within + v_beyond, v_beyond,
    v_entry.created_at)::billing.hold_captures);
  v_hold := billing.drop_parts(v_hold, v_parts);
  v_hold.captured := v_hold.captured + v_within;
  v_hold.overage := v_hold.overage + v_beyond;
  if v_within < v_rest and coalesce((p_operation.terms ->> 'final')::boolean, false) is not true then
    return billing.note_hold(p_operation, p_step, 'hold.captured', v_before, v_hold, p_now);
  end if;
  v_hold.voided := v_rest - v_within;
  return billing.end_hold(p_operation, p_step, 'hold.captured', v_before, v_hold, 'captured', p_now);
end $$;

-- Why a capture is refused, whatever of the grants; null if it is not.
create or replace function billing.refuse_capture(p_operation wallet.operation, p_account wallet.account, p_hold billing.holds,
  p_wanted numeric, p_rest numeric) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_kind constant wallet.operation_type := wallet.find_operation_type(coalesce(p_operation.terms ->> 'type', 'consume'));
  v_overage constant text := coalesce(p_operation.terms ->> 'overage', 'refuse');
begin
  return case
    when v_kind.form is distinct from 'movement' or v_kind.direction <> 'debit'
      then wallet.build_refusal('validation_failed', wallet.build_fault('/type', 'must be consume, fee or withdraw'))
    when v_overage not in ('refuse', 'take_available', 'allow_to_limit')
      then wallet.build_refusal('validation_failed', wallet.build_fault('/overage', 'must be refuse, take_available or allow_to_limit'))
    when p_account.status = 'frozen' and p_operation.acting_user_id is not null
      then wallet.build_refusal('wallet_frozen', jsonb_build_object('wallet_id', p_account.wallet_id))
    when p_wanted > p_rest and v_overage = 'refuse' then wallet.build_refusal('hold_exceeded', jsonb_build_object(
      'hold_id', p_hold.hold_id, 'wallet_id', p_account.wallet_id, 'currency', p_account.currency,
      'remaining', wallet.format_amount(p_rest, p_account.exponent),
      'available', wallet.format_amount(greatest(0, p_account.balance - p_account.locked_balance), p_account.exponent),
      'excess', wallet.format_amount(p_wanted - p_rest, p_account.exponent))) end;
end $$;

-- The step with the reserved parts of grants, in order, from which an amount within a hold is paid (state.hold_parts). Another
-- counter account than that of the hold can't be paid by some of them: refused where too much of the hold is in these. That a grant
-- has ended does not matter.
create or replace function billing.pick_reserved(p_step wallet.step, p_hold billing.holds, p_amount numeric, p_counter_account text)
returns wallet.step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_account wallet.account := p_step.accounts[1];
  v_spends constant boolean := billing.is_spent_on(p_counter_account);
  v_all billing.grant_part[] := billing.list_hold_parts(p_hold);
  v_part billing.grant_part;
  v_parts billing.grant_part[] := '{}';
  v_grant billing.grant_state;
  v_index integer := array_position(v_state.grant_wallets, p_hold.wallet_id);
  v_blocked numeric := 0;
  v_left numeric := p_amount;
begin
  foreach v_part in array v_all loop
    v_state := billing.load_grant(v_state, v_index, v_part.grant_id);
  end loop;
  if cardinality(v_all) > 0 then
    foreach v_part in array billing.sort_parts(v_state.grants_held[v_index], v_all) loop
      select * into v_grant from unnest((v_state.grants_held[v_index]).grants) g where g.grant_id = v_part.grant_id;
      if p_counter_account = p_hold.counter_account or v_spends and (v_grant.pays is null or p_counter_account = any (v_grant.pays))
          or not v_spends and v_grant.is_transferable then
        v_part.amount := least(v_part.amount, v_left);
        v_left := v_left - v_part.amount;
        if v_part.amount > 0 then
          v_parts := v_parts || v_part;
        end if;
      else
        v_blocked := v_blocked + v_part.amount;
      end if;
    end loop;
  end if;
  v_state.hold_parts := v_parts;
  p_step.state := v_state;
  if v_left > billing.find_rest(p_hold) - billing.sum_parts(v_all) then    -- of what is not granted
    p_step.decision := wallet.build_refusal('grants_not_usable', jsonb_build_object('wallet_id', v_account.wallet_id,
      'currency', v_account.currency, 'shortfall', wallet.format_amount(v_left - billing.find_rest(p_hold)
        + billing.sum_parts(v_all), v_account.exponent), 'not_usable', wallet.format_amount(v_blocked, v_account.exponent)));
  end if;
  return p_step;
end $$;

-- How much a capture can take of a wallet beyond its hold.
create or replace function billing.find_takeable(p_step wallet.step, p_overage text, p_counter_account text, p_now timestamptz)
returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_account wallet.account := p_step.accounts[1];
  v_index integer := array_position(v_state.grant_wallets, v_account.wallet_id);
  v_usable numeric := v_account.balance - v_account.locked_balance
    + case p_overage when 'allow_to_limit' then v_account.credit_limit else 0 end;
begin
  if v_account.status = 'frozen' then
    return 0;
  elsif v_index is not null then
    v_usable := v_usable - billing.sum_blocked((billing.read_all_grants(v_account.wallet_id, v_state.grants_held[v_index])).grants,
      p_counter_account, billing.is_spent_on(p_counter_account), null, p_now);
  end if;
  return greatest(v_usable, 0);
end $$;

-- Takes what a capture debits from grants: within the hold the parts that it has picked of those that are reserved, and beyond it from
-- others in their order.
create or replace function billing.take_captured(p_state wallet.room_state, p_wallet_id uuid, p_parts billing.grant_part[],
  p_transaction_id uuid, p_within numeric, p_beyond numeric, p_counter_account text, p_now timestamptz) returns wallet.room_state
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_index integer := array_position(p_state.grant_wallets, p_wallet_id);
  v_held billing.wallet_grants;
begin
  p_state := billing.use_reserved(p_state, p_wallet_id, p_parts, p_transaction_id, p_within + p_beyond);
  if v_index is null or p_beyond = 0 then
    return p_state;
  end if;
  v_held := billing.read_all_grants(p_wallet_id, p_state.grants_held[v_index]);
  p_state.grants_held[v_index] := v_held;
  return billing.use_parts(p_state, v_index, billing.pick_grants(v_held.grants, p_beyond, p_counter_account,
    billing.is_spent_on(p_counter_account), p_now), p_wallet_id, p_transaction_id, p_within + p_beyond - billing.sum_parts(p_parts));
end $$;

-- The state with a capture that is to be written.
create or replace function billing.note_capture(p_state wallet.room_state, p_capture billing.hold_captures) returns wallet.room_state
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  p_state.hold_captures := p_state.hold_captures || p_capture;
  return p_state;
end $$;
