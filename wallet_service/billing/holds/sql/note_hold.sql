-- The step with a hold as it is after an operation, which posts: the wallet's account has what the hold keeps more or less, the state
-- the hold and its event, the decision its result.
create or replace function billing.note_hold(p_operation wallet.operation, p_step wallet.step, p_event text, p_before billing.holds,
  p_hold billing.holds, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_account wallet.account := p_step.accounts[1];
  v_rest constant numeric := billing.find_rest(p_hold);
  v_more constant numeric := v_rest - coalesce(billing.find_rest(p_before), 0);
  v_result constant text := billing.format_hold(p_hold, p_now, v_account.exponent);
  v_place integer := coalesce(cardinality(v_state.holds), 0) + 1;
begin
  for i in 1 .. v_place - 1 loop
    if v_state.holds[i].hold_id = p_hold.hold_id then
      v_place := i;
    end if;
  end loop;
  v_state.holds[v_place] := p_hold;
  v_state.hold_events := v_state.hold_events || row(p_event, p_hold.hold_id, p_hold.user_id, p_hold.wallet_id,
    billing.format_hold(p_before, p_now, v_account.exponent), v_result,
    coalesce(p_operation.caller, '{"actor": "unknown"}'))::billing.hold_event;
  v_state.hold_change := row(p_operation.transaction_id, p_hold.counter_account, v_more, v_rest)::billing.hold_change;
  v_account := billing.change_locked(v_account, v_more);
  if p_hold.state = 'open' then
    v_account.due_at := least(v_account.due_at, p_hold.expires_at, p_hold.notice_at);
  end if;
  v_state.marks := coalesce(v_state.marks, 0) | v_account.marks | 2;
  p_step.state := v_state;
  p_step.accounts := array[v_account];
  p_step.decision := row('posted', null, null, v_account.exponent, coalesce((p_step.decision).entries, '{}'), true,
    v_result)::wallet.decision;
  return p_step;
end $$;

-- An account of which more, or less, is locked. It has the mark of holds exactly while something is.
create or replace function billing.change_locked(p_account wallet.account, p_more numeric) returns wallet.account
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  p_account.locked_balance := p_account.locked_balance + p_more;
  p_account.marks := case when p_account.locked_balance > 0 then p_account.marks | 2 else p_account.marks & ~2 end;
  if p_account.marks = 0 then
    p_account.due_at := 'infinity';
  end if;
  p_account.changed := true;
  return p_account;
end $$;

-- What a hold still keeps; null for a row of nulls.
create or replace function billing.find_rest(p_hold billing.holds) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_hold.authorised - p_hold.captured - p_hold.voided - p_hold.expired;
end $$;

-- A hold of a wallet as it is now: as this call has changed it, or as the table has it; a row of nulls if there is none.
create or replace function billing.read_hold(p_state wallet.room_state, p_wallet_id uuid, p_hold_id text) returns billing.holds
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_hold billing.holds;
begin
  if wallet.is_uuid(p_hold_id) is not true then
    return null;
  end if;
  foreach v_hold in array coalesce(p_state.holds, '{}') loop
    if v_hold.hold_id = p_hold_id::uuid and v_hold.wallet_id = p_wallet_id then
      return v_hold;
    end if;
  end loop;
  v_hold := null;
  select * into v_hold from billing.holds h where h.hold_id = p_hold_id::uuid and h.wallet_id = p_wallet_id;
  return v_hold;
end $$;

-- Why an operation can't change a hold, or null. A user's token changes only what a token of this user placed: a user must not release
-- what a service keeps for its payment.
create or replace function billing.refuse_change(p_operation wallet.operation, p_hold billing.holds, p_now timestamptz)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_hold.hold_id is null
      then wallet.build_refusal('hold_not_found', jsonb_build_object('hold_id', p_operation.terms ->> 'hold_id'))
    when p_operation.acting_user_id is not null and p_hold.placed_by is distinct from p_operation.acting_user_id
      then wallet.build_refusal('forbidden')
    when billing.find_hold_state(p_hold, p_now) <> 'open' then wallet.build_refusal('hold_ended',
      jsonb_build_object('hold_id', p_hold.hold_id, 'state', billing.find_hold_state(p_hold, p_now)))
  end;
end $$;

-- The parts of grants that a hold reserves.
create or replace function billing.list_hold_parts(p_hold billing.holds) returns billing.grant_part[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_parts billing.grant_part[] := '{}';
begin
  for i in 1 .. cardinality(p_hold.grant_ids) loop
    v_parts := v_parts || row(p_hold.grant_ids[i], p_hold.grant_amounts[i])::billing.grant_part;
  end loop;
  return v_parts;
end $$;

-- A hold that reserves these parts of grants less.
create or replace function billing.drop_parts(p_hold billing.holds, p_parts billing.grant_part[]) returns billing.holds
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_ids uuid[] := '{}';
  v_amounts numeric[] := '{}';
  v_left numeric;
  v_part billing.grant_part;
begin
  for i in 1 .. cardinality(p_hold.grant_ids) loop
    v_left := p_hold.grant_amounts[i];
    foreach v_part in array p_parts loop
      if v_part.grant_id = p_hold.grant_ids[i] then
        v_left := v_left - v_part.amount;
      end if;
    end loop;
    if v_left > 0 then
      v_ids := v_ids || p_hold.grant_ids[i];
      v_amounts := v_amounts || v_left;
    end if;
  end loop;
  p_hold.grant_ids := v_ids;
  p_hold.grant_amounts := v_amounts;
  return p_hold;
end $$;
