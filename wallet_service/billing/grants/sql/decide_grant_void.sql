-- Decides an operation of type grant_void: what is left of a grant is taken back, and goes where it came from. What an open hold
-- reserves of it stays good for the hold; what the hold does not use expires.
create or replace function billing.decide_grant_void(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_row billing.grants := billing.read_grant_now(p_step.state, v_account.wallet_id, p_operation.terms ->> 'grant_id');
  v_before jsonb := billing.format_grant(v_row, p_now);
  v_free numeric := v_row.remaining - v_row.reserved;
  v_posted numeric := least(v_free, greatest(0, v_account.balance - v_account.locked_balance + v_account.credit_limit));
  v_op wallet.operation := p_operation;
  v_entries wallet.wallet_transactions[] := '{}';
begin
  p_step.decision := case
    when v_row.grant_id is null then wallet.build_refusal('grant_not_found', jsonb_build_object('grant_id', p_operation.terms ->> 'grant_id'))
    when v_row.ended is not null or v_row.expires_at <= p_now or v_free = 0 and v_row.transaction_id is not null
      then wallet.build_refusal('grant_ended', jsonb_build_object('grant_id', v_row.grant_id, 'state', v_before ->> 'state'))
    when v_account.status = 'closed' then wallet.build_refusal('wallet_closed', jsonb_build_object('wallet_id', v_account.wallet_id))
  end;
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  if v_row.transaction_id is not null and v_posted > 0 then
    v_op.metadata := v_op.metadata || jsonb_build_object('grant_id', v_row.grant_id);
    v_entries := array[wallet.build_entry(v_op, v_account, 0, -v_posted, v_row.counter_account,
      greatest(p_now, v_account.last_posted_at))];
  end if;
  p_step.state := billing.note_ending(p_step.state, v_row, v_posted, v_free, 'voided', greatest(p_now, v_account.last_posted_at),
    v_entries[1].transaction_id);
  v_row.overdrawn := v_row.overdrawn + case when v_row.transaction_id is null then 0 else v_free - v_posted end;
  v_row.voided := v_row.voided + case when v_row.transaction_id is null then v_free else v_posted end;
  v_row.remaining := v_row.reserved;
  v_row.ended := 'voided';
  v_row.void_reason := 'request';
  p_step.state := billing.change_grant(p_step.state, v_row, row('grant.voided', v_row.grant_id, v_before,
    coalesce(p_operation.caller, '{"actor": "unknown"}'))::billing.grant_event);
  p_step.decision := row('posted', null, null, v_account.exponent, v_entries, true, billing.format_grant(v_row, p_now))::wallet.decision;
  return p_step;
end $$;

-- The state with what the end of a grant took from it: p_posted of p_free was posted, the rest covers an overdraft. Of a grant that was
-- not effective nothing remained to be taken.
create or replace function billing.note_ending(p_state wallet.room_state, p_grant billing.grants, p_posted numeric, p_free numeric,
  p_kind text, p_at timestamptz, p_transaction_id uuid) returns wallet.room_state
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_grant.transaction_id is not null then
    p_state.grant_moves := p_state.grant_moves || array(
      select row(p_grant.grant_id, p_at, m.kind, m.amount, case m.kind when p_kind then p_transaction_id end)::billing.grant_movement
      from (values (p_kind, p_posted), ('overdrawn', p_free - p_posted)) m (kind, amount) where m.amount > 0);
  end if;
  return p_state;
end $$;

-- A grant of a wallet as it is now: as the table has it, with what this call has decided; a row of nulls if there is none.
create or replace function billing.read_grant_now(p_state wallet.room_state, p_wallet_id uuid, p_grant_id text) returns billing.grants
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_row billing.grants;
  v_held billing.wallet_grants := p_state.grants_held[array_position(p_state.grant_wallets, p_wallet_id)];
  v_grant billing.grant_state;
begin
  if wallet.is_uuid(p_grant_id) is not true then
    return null;
  end if;
  select * into v_row from billing.grants g where g.grant_id = p_grant_id::uuid and g.wallet_id = p_wallet_id;
  if not found then
    select * into v_row from unnest(p_state.grants_new) g where g.grant_id = p_grant_id::uuid and g.wallet_id = p_wallet_id;
  end if;
  select * into v_grant from unnest(v_held.grants) g where g.grant_id = v_row.grant_id;
  if found then
    v_row.remaining := v_grant.remaining;
    v_row.reserved := v_grant.reserved;
    v_row.used := v_grant.used;
    v_row.overdrawn := v_grant.overdrawn;
    v_row.voided := v_grant.voided;
    v_row.ended := v_grant.ended;
  end if;
  return v_row;
end $$;

-- The state with a grant of a wallet as p_row has it, and the event of its change.
create or replace function billing.change_grant(p_state wallet.room_state, p_row billing.grants, p_event billing.grant_event)
returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_index integer := array_position(p_state.grant_wallets, p_row.wallet_id);
  v_held billing.wallet_grants;
  v_grant billing.grant_state;
begin
  p_state := billing.load_grant(p_state, v_index, p_row.grant_id);
  v_held := p_state.grants_held[v_index];
  for i in 1 .. cardinality(v_held.grants) loop
    v_grant := v_held.grants[i];
    if v_grant.grant_id = p_row.grant_id then
      v_grant.remaining := p_row.remaining;
      v_grant.overdrawn := p_row.overdrawn;
      v_grant.voided := p_row.voided;
      v_grant.ended := p_row.ended;
      v_grant.changed := true;
      v_held.grants[i] := v_grant;
    end if;
  end loop;
  p_state.grants_held[v_index] := v_held;
  p_state.grant_events := p_state.grant_events || p_event;
  return p_state;
end $$;
