-- Reserves credits of a wallet for a hold: parts of grants, in order, and what they don't cover of what is not granted. A shortfall
-- above 0: so much is missing, or in grants that can't pay this counter account.
create or replace function billing.reserve_grants(p_state wallet.room_state, p_account wallet.account, p_amount numeric,
  p_counter_account text, p_now timestamptz) returns billing.reservation
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_index integer := array_position(p_state.grant_wallets, p_account.wallet_id);
  v_held billing.wallet_grants;
  v_usable numeric := p_account.balance - p_account.locked_balance + p_account.credit_limit;
  v_spends constant boolean := billing.is_spent_on(p_counter_account);
  v_parts billing.grant_part[] := '{}';
begin
  if v_index is not null then
    v_held := billing.read_all_grants(p_account.wallet_id, p_state.grants_held[v_index]);
    if v_held.is_restricted or not v_spends then
      v_usable := v_usable - billing.sum_blocked(v_held.grants, p_counter_account, v_spends, null, p_now);
    end if;
    if p_amount <= v_usable then
      v_parts := billing.pick_grants(v_held.grants, p_amount, p_counter_account, v_spends, p_now);
      v_held := billing.change_reserved(v_held, v_parts, 1);
    end if;
    p_state.grants_held[v_index] := v_held;
  end if;
  return row(p_state, v_parts, greatest(p_amount - v_usable, 0))::billing.reservation;
end $$;

-- The grants of a wallet with more of them reserved (p_sign 1), or less (-1).
create or replace function billing.change_reserved(p_held billing.wallet_grants, p_parts billing.grant_part[], p_sign integer)
returns billing.wallet_grants
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grant_state;
  v_part billing.grant_part;
begin
  for i in 1 .. coalesce(cardinality(p_held.grants), 0) loop
    v_grant := p_held.grants[i];
    foreach v_part in array p_parts loop
      if v_part.grant_id = v_grant.grant_id then
        v_grant.reserved := v_grant.reserved + p_sign * v_part.amount;
        v_grant.changed := true;
        p_held.grants[i] := v_grant;
      end if;
    end loop;
  end loop;
  return p_held;
end $$;

-- Spends parts that were reserved: they are taken from their grants, though a grant has ended meanwhile, and noted as used by the
-- posting of the operation. p_amount: of its debit.
create or replace function billing.use_reserved(p_state wallet.room_state, p_wallet_id uuid, p_parts billing.grant_part[],
  p_transaction_id uuid, p_amount numeric) returns wallet.room_state
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_index integer := array_position(p_state.grant_wallets, p_wallet_id);
  v_part billing.grant_part;
begin
  if cardinality(p_parts) = 0 then
    return p_state;
  end if;
  foreach v_part in array p_parts loop
    p_state := billing.load_grant(p_state, v_index, v_part.grant_id);
  end loop;
  p_state.grants_held[v_index] := billing.change_reserved(p_state.grants_held[v_index], p_parts, -1);
  return billing.use_parts(p_state, v_index, billing.sort_parts(p_state.grants_held[v_index], p_parts), p_wallet_id, p_transaction_id,
    p_amount);
end $$;

-- Parts in the order of the grants of a wallet.
create or replace function billing.sort_parts(p_held billing.wallet_grants, p_parts billing.grant_part[]) returns billing.grant_part[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return array(select row(p.grant_id, p.amount)::billing.grant_part
    from unnest(p_held.grants) with ordinality as g (grant_id, priority, effective_at, expires_at, pays, is_transferable, remaining,
      reserved, used, overdrawn, voided, ended, changed, place)
    join unnest(p_parts) p on p.grant_id = g.grant_id order by g.place);
end $$;

-- Releases parts that a hold reserved. What belongs to a grant that has ended expires: the account is due at once.
create or replace function billing.release_reserved(p_step wallet.step, p_wallet_id uuid, p_parts billing.grant_part[], p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_index integer := array_position(v_state.grant_wallets, p_wallet_id);
  v_held billing.wallet_grants;
  v_part billing.grant_part;
  v_grant billing.grant_state;
begin
  if cardinality(p_parts) = 0 then
    return p_step;
  end if;
  foreach v_part in array p_parts loop
    v_state := billing.load_grant(v_state, v_index, v_part.grant_id);
  end loop;
  v_held := billing.change_reserved(v_state.grants_held[v_index], p_parts, -1);
  foreach v_grant in array v_held.grants loop
    if v_grant.ended is not null or v_grant.expires_at <= p_now then
      v_held.is_restricted := v_held.is_restricted or v_grant.remaining > v_grant.reserved;
      p_step := billing.mark_due(p_step, p_wallet_id, p_now);
    elsif v_grant.changed then
      p_step := billing.mark_due(p_step, p_wallet_id, v_grant.expires_at);
    end if;
  end loop;
  v_state.grants_held[v_index] := v_held;
  p_step.state := v_state;
  return p_step;
end $$;
