-- Gives back what a refund returns of a debit, the last that the debit took first: what was not granted, then the grants from the last
-- to the first. What belonged to a grant that has ended goes to a new grant, which expires after the grace period of the old one.
create or replace function billing.return_to_grants(p_operation wallet.operation, p_step wallet.step,
  p_entry wallet.wallet_transactions, p_index integer, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := billing.recall_uses(p_step.state, p_operation.original_transaction_id, p_entry.wallet_id);
  v_rest numeric := p_entry.amount;
  v_part numeric;
  v_use billing.grant_use;
  v_is_last boolean := true;
begin
  for i in reverse coalesce(cardinality(v_state.grant_uses), 0) .. 1 loop
    v_use := v_state.grant_uses[i];
    if v_use.transaction_id = p_operation.original_transaction_id and v_use.wallet_id = p_entry.wallet_id and v_rest > 0 then
      if v_is_last then
        v_part := least(v_rest, v_use.rest - v_use.rest_returned);
        v_use.rest_returned := v_use.rest_returned + v_part;
        v_rest := v_rest - v_part;
        v_is_last := false;
      end if;
      v_part := least(v_rest, v_use.amount - v_use.returned);
      if v_part > 0 then
        v_rest := v_rest - v_part;
        v_use.returned := v_use.returned + v_part;
        p_step.state := v_state;
        p_step := billing.return_part(p_step, p_index, p_entry, v_use.grant_id, v_part, p_now);
        v_state := p_step.state;
        v_use.moved := v_use.moved + case when v_state.grants_moved then v_part else 0 end;
      end if;
      v_state.grant_uses[i] := v_use;
    end if;
  end loop;
  p_step.state := v_state;
  return p_step;
end $$;

-- The state with what a posting took from grants of a wallet: as this call has noted it, or as the table has it.
create or replace function billing.recall_uses(p_state wallet.room_state, p_transaction_id uuid, p_wallet_id uuid)
returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from unnest(p_state.grant_uses) u where u.transaction_id = p_transaction_id and u.wallet_id = p_wallet_id) then
    p_state.grant_uses := p_state.grant_uses || array(
      select row(u.transaction_id, u.wallet_id, u.place, u.grant_id, u.amount, u.returned, u.moved, u.rest, u.rest_returned,
        false)::billing.grant_use
      from billing.grant_usages u where u.transaction_id = p_transaction_id and u.wallet_id = p_wallet_id order by u.place);
  end if;
  return p_state;
end $$;

-- Returns a part to a grant, or to a new one where it has ended: the state says which in grants_moved.
create or replace function billing.return_part(p_step wallet.step, p_index integer, p_entry wallet.wallet_transactions,
  p_grant_id uuid, p_amount numeric, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := billing.load_grant(p_step.state, p_index, p_grant_id);
  v_held billing.wallet_grants := v_state.grants_held[p_index];
  v_grant billing.grant_state;
begin
  for i in 1 .. cardinality(v_held.grants) loop
    v_grant := v_held.grants[i];
    exit when v_grant.grant_id = p_grant_id and (v_grant.ended is not null or v_grant.expires_at <= p_now);
    if v_grant.grant_id = p_grant_id then
      v_grant.remaining := v_grant.remaining + p_amount;
      v_grant.used := v_grant.used - p_amount;
      v_grant.changed := true;
      v_held.grants[i] := v_grant;
      v_state.grants_held[p_index] := v_held;
      v_state.grants_moved := false;
      v_state.grant_moves := v_state.grant_moves
        || row(p_grant_id, p_entry.created_at, 'returned', p_amount, p_entry.transaction_id)::billing.grant_movement;
      p_step.state := v_state;
      return billing.mark_due(p_step, p_entry.wallet_id, v_grant.expires_at);
    end if;
  end loop;
  p_step.state := v_state;
  return billing.move_to_new_grant(p_step, p_index, p_entry, p_grant_id, p_amount, p_now);
end $$;

-- A new grant with the terms of one that has ended, for what a refund returns of it.
create or replace function billing.move_to_new_grant(p_step wallet.step, p_index integer, p_entry wallet.wallet_transactions,
  p_grant_id uuid, p_amount numeric, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_held billing.wallet_grants;
  v_new billing.grants;
begin
  select * into v_new from billing.grants g where g.grant_id = p_grant_id;
  if not found then
    select * into v_new from unnest(v_state.grants_new) g where g.grant_id = p_grant_id;
  end if;
  v_new.original_grant_id := coalesce(v_new.original_grant_id, v_new.grant_id);
  v_new.grant_id := wallet.new_id();
  v_new.source := 'refund';
  v_new.amount := p_amount;
  v_new.remaining := p_amount;
  v_new.reserved := 0;
  v_new.used := 0;
  v_new.overdrawn := 0;
  v_new.expired := 0;
  v_new.voided := 0;
  v_new.ended := null;
  v_new.effective_at := p_entry.created_at;
  v_new.expires_at := p_entry.created_at + make_interval(secs => v_new.refund_grace_s);
  v_new.notice_at := 'infinity';
  v_new.transaction_id := p_entry.transaction_id;
  v_new.counter_account := p_entry.counter_account;
  v_new.schedule_id := null;
  v_new.carried_from := null;
  v_new.void_reason := null;
  v_new.created_at := p_entry.created_at;
  v_state := billing.add_grant(v_state, p_index, v_new, '{"actor": "service"}');
  if v_new.expires_at <= p_now then
    v_held := v_state.grants_held[p_index];
    v_held.is_restricted := true;
    v_state.grants_held[p_index] := v_held;
  end if;
  v_state.grants_moved := true;
  p_step.state := v_state;
  return billing.mark_due(p_step, p_entry.wallet_id, v_new.expires_at);
end $$;

-- The state with a grant in its place among those of a wallet, as the table has it, unless it is there.
create or replace function billing.load_grant(p_state wallet.room_state, p_index integer, p_grant_id uuid) returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_held billing.wallet_grants := billing.read_all_grants(p_state.grant_wallets[p_index], p_state.grants_held[p_index]);
  v_grant billing.grant_state;
begin
  if not exists (select from unnest(v_held.grants) g where g.grant_id = p_grant_id) then
    select g.grant_id, g.priority, g.effective_at, g.expires_at, g.pays, g.is_transferable, g.remaining, g.reserved, g.used,
      g.overdrawn, g.voided, g.ended, false into v_grant
      from (select n.* from unnest(p_state.grants_new) n where n.grant_id = p_grant_id
        union all select o.* from billing.grants o where o.grant_id = p_grant_id) g;
    v_held.grants := billing.sort_grants(v_held.grants || v_grant);
    v_held.is_restricted := v_held.is_restricted or v_grant.pays is not null;
  end if;
  p_state.grants_held[p_index] := v_held;
  return p_state;
end $$;

-- Grants in the order in which debits take from them.
create or replace function billing.sort_grants(p_grants billing.grant_state[]) returns billing.grant_state[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return array(select g from unnest(p_grants) g order by g.priority, g.expires_at, g.effective_at, g.grant_id);
end $$;

-- The step with the account of a wallet marked as due at p_at, if it is not due before.
create or replace function billing.mark_due(p_step wallet.step, p_wallet_id uuid, p_at timestamptz) returns wallet.step
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  for i in 1 .. cardinality(p_step.accounts) loop
    if p_step.accounts[i].wallet_id = p_wallet_id and p_at < p_step.accounts[i].due_at then
      p_step.accounts[i].due_at := p_at;
      p_step.accounts[i].changed := true;
    end if;
  end loop;
  return p_step;
end $$;
