-- Lets the entries of an operation take from grants, and refunds give back to them (ledger: open_room_state.sql). An operation that a
-- room decides has done so itself.
create or replace function billing.follow_grants(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_entry wallet.wallet_transactions;
  v_index integer;
begin
  if p_operation.form = 'room' then
    return p_step;
  end if;
  foreach v_entry in array (p_step.decision).entries loop
    v_index := array_position((p_step.state).grant_wallets, v_entry.wallet_id);
    if v_index is null then
      continue;
    elsif v_entry.direction = 'debit' then
      p_step := billing.take_from_grants(p_operation, p_step, v_entry, v_index, p_now);
      exit when (p_step.decision).status <> 'posted';
    elsif p_operation.form = 'refund' then
      p_step := billing.return_to_grants(p_operation, p_step, v_entry, v_index, p_now);
    end if;
  end loop;
  return p_step;
end $$;

-- Takes the amount of a debit from the wallet's grants, in order, and what they don't cover from what is not granted. Refused where
-- too much of the balance is in grants that can't pay it. The refund of a grant takes from this grant first.
create or replace function billing.take_from_grants(p_operation wallet.operation, p_step wallet.step,
  p_entry wallet.wallet_transactions, p_index integer, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_step.state;
  v_held billing.wallet_grants := v_state.grants_held[p_index];
  v_spends constant boolean := billing.is_spent(p_operation, p_entry.counter_account);
  v_account constant text := case when p_operation.form = 'adjustment' then '*' else p_entry.counter_account end;
  v_own uuid;
  v_part numeric := 0;
  v_parts billing.grant_part[];
begin
  if p_operation.form = 'refund' then
    v_own := billing.find_granted(v_state, p_operation.original_transaction_id);
  end if;
  if v_held.is_restricted or not v_spends then
    v_held := billing.read_all_grants(p_entry.wallet_id, v_held);
    p_step.decision := coalesce(billing.refuse_blocked(p_step.accounts, p_entry,
      billing.sum_blocked(v_held.grants, v_account, v_spends, v_own, p_now)), p_step.decision);
    if (p_step.decision).status <> 'posted' then
      return p_step;
    end if;
  end if;
  if v_own is not null then
    v_held := billing.void_part(v_held, v_own, p_entry.amount);
    v_part := v_held.voided_now;
  end if;
  v_parts := billing.pick_grants(v_held.grants, p_entry.amount - v_part, v_account, v_spends, p_now);
  if v_held.has_more and billing.sum_parts(v_parts) < p_entry.amount - v_part then
    v_held := billing.read_all_grants(p_entry.wallet_id, v_held);
    v_parts := billing.pick_grants(v_held.grants, p_entry.amount - v_part, v_account, v_spends, p_now);
  end if;
  v_state.grants_held[p_index] := v_held;
  if v_part > 0 then
    v_state.grant_moves := v_state.grant_moves
      || row(v_own, p_entry.created_at, 'voided', v_part, p_entry.transaction_id)::billing.grant_movement;
  end if;
  p_step.state := billing.use_parts(v_state, p_index, v_parts, p_entry.wallet_id, p_entry.transaction_id, p_entry.amount - v_part);
  return p_step;
end $$;

-- Whether a debit spends: then every grant that pays its counter account can pay it, and every grant an adjustment: an operator's
-- correction is not for the grants to refuse. What leaves the wallet as money (transfers,
-- withdrawals, exchanges, refunds of deposits) takes only what is not granted, and grants that are transferable.
create or replace function billing.is_spent(p_operation wallet.operation, p_counter_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_operation.form = 'adjustment' or p_operation.form is distinct from 'refund' and billing.is_spent_on(p_counter_account);
end $$;

-- Whether what is debited against a counter account is spent.
create or replace function billing.is_spent_on(p_counter_account text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return left(p_counter_account, 8) in ('revenue:', 'expense:');
end $$;

-- What remains in grants, and is not reserved, but can't pay a debit. p_own: this grant can.
create or replace function billing.sum_blocked(p_grants billing.grant_state[], p_counter_account text, p_spends boolean, p_own uuid,
  p_now timestamptz) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grant_state;
  v_sum numeric := 0;
begin
  foreach v_grant in array coalesce(p_grants, '{}') loop
    if v_grant.grant_id is distinct from p_own and not billing.can_pay(v_grant, p_counter_account, p_spends, p_now) then
      v_sum := v_sum + v_grant.remaining - v_grant.reserved;
    end if;
  end loop;
  return v_sum;
end $$;

-- Whether a grant can pay a debit now, as far as it has something left. p_counter_account: '*' for any.
create or replace function billing.can_pay(p_grant billing.grant_state, p_counter_account text, p_spends boolean, p_now timestamptz)
returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return p_grant.expires_at > p_now and p_grant.ended is null
    and case when p_spends then p_grant.pays is null or p_counter_account = any (p_grant.pays) or p_counter_account = '*' else p_grant.is_transferable end;
end $$;

-- The refusal of a debit for which enough is there, but in grants that can't pay it; null where it can be paid.
create or replace function billing.refuse_blocked(p_accounts wallet.account[], p_entry wallet.wallet_transactions, p_blocked numeric)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account;
  v_usable numeric;
begin
  foreach v_account in array p_accounts loop
    exit when v_account.wallet_id = p_entry.wallet_id;
  end loop;
  v_usable := p_entry.balance_before - v_account.locked_balance + v_account.credit_limit - p_blocked;
  if p_blocked > 0 and v_usable < p_entry.amount then
    return wallet.build_refusal('grants_not_usable', jsonb_build_object('wallet_id', v_account.wallet_id, 'currency', v_account.currency,
      'shortfall', wallet.format_amount(p_entry.amount - v_usable, v_account.exponent),
      'not_usable', wallet.format_amount(p_blocked, v_account.exponent)));
  end if;
  return null;
end $$;

-- The parts of grants that pay an amount, in order; together less than it where they don't cover it.
create or replace function billing.pick_grants(p_grants billing.grant_state[], p_amount numeric, p_counter_account text,
  p_spends boolean, p_now timestamptz) returns billing.grant_part[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grant_state;
  v_part numeric;
  v_parts billing.grant_part[] := '{}';
begin
  foreach v_grant in array coalesce(p_grants, '{}') loop
    exit when p_amount = 0;
    v_part := least(v_grant.remaining - v_grant.reserved, p_amount);
    if v_part > 0 and billing.can_pay(v_grant, p_counter_account, p_spends, p_now) then
      v_parts := v_parts || row(v_grant.grant_id, v_part)::billing.grant_part;
      p_amount := p_amount - v_part;
    end if;
  end loop;
  return v_parts;
end $$;

-- The sum of parts of grants.
create or replace function billing.sum_parts(p_parts billing.grant_part[]) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_part billing.grant_part;
  v_sum numeric := 0;
begin
  foreach v_part in array coalesce(p_parts, '{}') loop
    v_sum := v_sum + v_part.amount;
  end loop;
  return v_sum;
end $$;

-- Takes parts from the grants of a wallet, and notes them as used by a posting, of whose debit p_rest is to be taken.
create or replace function billing.use_parts(p_state wallet.room_state, p_index integer, p_parts billing.grant_part[], p_wallet_id uuid,
  p_transaction_id uuid, p_rest numeric) returns wallet.room_state
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_held billing.wallet_grants := p_state.grants_held[p_index];
  v_grants billing.grant_state[] := v_held.grants;
  v_grant billing.grant_state;
  v_part billing.grant_part;
  v_place integer := coalesce(cardinality(p_state.grant_uses), 0);
  v_i integer := 1;
begin
  foreach v_part in array p_parts loop
    while v_grants[v_i].grant_id <> v_part.grant_id loop    -- parts have the order of the grants
      v_i := v_i + 1;
    end loop;
    v_grant := v_grants[v_i];
    v_grant.remaining := v_grant.remaining - v_part.amount;
    v_grant.used := v_grant.used + v_part.amount;
    v_grant.changed := true;
    v_grants[v_i] := v_grant;
    v_place := v_place + 1;
    p_rest := p_rest - v_part.amount;
    p_state.grant_uses := p_state.grant_uses
      || row(p_transaction_id, p_wallet_id, v_place, v_part.grant_id, v_part.amount, 0, 0, p_rest, 0, true)::billing.grant_use;
  end loop;
  v_held.grants := v_grants;
  p_state.grants_held[p_index] := v_held;
  return p_state;
end $$;

-- The grant that a posting brought, or null. It may be one of this call.
create or replace function billing.find_granted(p_state wallet.room_state, p_transaction_id uuid) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select g.grant_id from billing.grants g where g.transaction_id = p_transaction_id),
    (select g.grant_id from unnest(p_state.grants_new) g where g.transaction_id = p_transaction_id));
end $$;

-- Takes back up to p_amount of what is left of a grant; the result says how much in voided_now.
create or replace function billing.void_part(p_held billing.wallet_grants, p_grant_id uuid, p_amount numeric)
returns billing.wallet_grants
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grant_state;
begin
  p_held.voided_now := 0;
  for i in 1 .. coalesce(cardinality(p_held.grants), 0) loop
    v_grant := p_held.grants[i];
    if v_grant.grant_id = p_grant_id then
      p_held.voided_now := least(v_grant.remaining - v_grant.reserved, p_amount);
      v_grant.remaining := v_grant.remaining - p_held.voided_now;
      v_grant.voided := v_grant.voided + p_held.voided_now;
      v_grant.changed := true;
      p_held.grants[i] := v_grant;
    end if;
  end loop;
  return p_held;
end $$;
