-- Decides an operation of type grant: credits for a wallet, now or from a later moment. terms: source, and optionally priority,
-- effective_at, expires_at or expires_in_s, unit_cost and cost_currency, pays, is_transferable, refund_grace_s, notice_s; and defaults:
-- what the service adds where these are absent, which is no part of the request (ledger: read_operations.sql).
create or replace function billing.decide_grant(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  c_members constant text[] := '{source,priority,effective_at,expires_at,expires_in_s,unit_cost,cost_currency,pays,is_transferable,'
    'refund_grace_s,notice_s}';
  v_terms constant jsonb := billing.merge_defaults(coalesce(p_operation.terms, '{}'));
  v_fault constant text[] := billing.find_terms_fault(v_terms, c_members);
  v_grant billing.grants;
  v_state wallet.room_state := billing.note_wallet(p_step.state, v_account.wallet_id);
  v_index integer := array_position(v_state.grant_wallets, v_account.wallet_id);
  v_op wallet.operation := p_operation;
  v_entries wallet.wallet_transactions[] := '{}';
begin
  if v_fault is not null then
    p_step.decision := wallet.build_refusal('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
    return p_step;
  end if;
  v_grant := billing.build_grant(p_operation, v_terms, v_account, p_now);
  p_step.decision := billing.refuse_grant(v_account, v_grant, v_state, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  if v_grant.effective_at <= p_now then
    v_op.effective_at := v_grant.effective_at;
    v_entries := array[wallet.build_entry(v_op, v_account, 0, v_grant.amount, v_grant.counter_account,
      greatest(p_now, v_account.last_posted_at))];
    v_grant.transaction_id := p_operation.transaction_id;
  end if;
  v_state := billing.add_grant(v_state, v_index, v_grant, coalesce(p_operation.caller, jsonb_build_object('actor', 'unknown')));
  v_account.marks := v_account.marks | 1;
  v_account.due_at := least(v_account.due_at, v_grant.notice_at,
    case when v_grant.transaction_id is null then v_grant.effective_at else v_grant.expires_at end);
  v_account.changed := true;
  v_state.marks := coalesce(v_state.marks, 0) | v_account.marks;
  p_step.state := v_state;
  p_step.accounts := array[v_account];
  p_step.decision := row('posted', null, null, v_account.exponent, v_entries, true,
    billing.format_grant(v_grant, p_now))::wallet.decision;
  return p_step;
end $$;

-- The row of a grant that an operation asks for. p_terms: as find_terms_fault has found them good.
create or replace function billing.build_grant(p_operation wallet.operation, p_terms jsonb, p_account wallet.account, p_now timestamptz)
returns billing.grants
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_grant billing.grants;
begin
  v_grant.grant_id := p_operation.transaction_id;
  v_grant.wallet_id := p_account.wallet_id;
  v_grant.user_id := p_account.user_id;
  v_grant.currency := p_account.currency;
  v_grant.source := p_terms ->> 'source';
  v_grant.priority := coalesce((p_terms ->> 'priority')::numeric, 100);
  v_grant.amount := p_operation.amount;
  v_grant.remaining := p_operation.amount;
  v_grant.reserved := 0;
  v_grant.used := 0;
  v_grant.overdrawn := 0;
  v_grant.expired := 0;
  v_grant.voided := 0;
  v_grant.effective_at := coalesce((p_terms ->> 'effective_at')::timestamptz, greatest(p_now, p_account.last_posted_at));
  v_grant.expires_at := coalesce((p_terms ->> 'expires_at')::timestamptz,
    v_grant.effective_at + make_interval(secs => (p_terms ->> 'expires_in_s')::float8), 'infinity');
  v_grant.notice_at := billing.find_notice(v_grant.effective_at, v_grant.expires_at, (p_terms ->> 'notice_s')::numeric);
  v_grant.counter_account := coalesce(p_operation.counter_account, billing.find_source_account(v_grant.source));
  v_grant.pays := billing.read_accounts(p_terms -> 'pays');
  v_grant.is_transferable := coalesce((p_terms ->> 'is_transferable')::boolean, false);
  v_grant.unit_cost := (p_terms ->> 'unit_cost')::numeric;
  v_grant.cost_currency := p_terms ->> 'cost_currency';
  v_grant.refund_grace_s := coalesce((p_terms ->> 'refund_grace_s')::numeric, 0);
  v_grant.reference := p_operation.reference;
  v_grant.metadata := p_operation.metadata;
  v_grant.created_at := greatest(p_now, p_account.last_posted_at);
  return v_grant;
end $$;

-- When the end of a grant is announced: p_notice_s before it; never (infinity) for one that is not longer than that.
create or replace function billing.find_notice(p_effective_at timestamptz, p_expires_at timestamptz, p_notice_s numeric)
returns timestamptz
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_notice constant interval := make_interval(secs => p_notice_s);
begin
  return case when p_notice_s > 0 and p_expires_at < 'infinity' and p_effective_at + v_notice < p_expires_at
    then p_expires_at - v_notice else 'infinity' end;
end $$;

-- The other side of what a grant brings, by its source.
create or replace function billing.find_source_account(p_source text) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case p_source when 'purchase' then 'external:purchases' when 'plan' then 'promotions:plan' when 'refund' then 'external:refunds'
    when 'adjustment' then 'external:adjustments' else 'promotions' end;
end $$;

-- Why a grant can't be created, or null.
create or replace function billing.refuse_grant(p_account wallet.account, p_grant billing.grants,
  p_state wallet.room_state, p_now timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_fault text[] := case
    when p_grant.amount is null then array['/amount', 'must be given']
    when p_grant.expires_at <= p_grant.effective_at then array['/expires_at', 'must be after effective_at']
    when p_grant.expires_at <= p_now then array['/expires_at', 'must be in the future']
    when p_grant.effective_at < p_now - interval '366 days' or p_grant.effective_at > p_now + interval '10 years'
      then array['/effective_at', 'must be within a year before and ten years after now']
  end;
begin
  if v_fault is not null then
    return wallet.build_refusal('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  elsif billing.count_room(p_account.wallet_id)
      <= (select count(*) from unnest(p_state.grants_new) g where g.wallet_id = p_account.wallet_id) then
    return wallet.build_refusal('grant_limit', jsonb_build_object('wallet_id', p_account.wallet_id, 'limit', 1000));
  end if;
  return wallet.check_movement(p_account, p_grant.amount);
end $$;

-- How many more grants a wallet may have: of at most 1,000 that are live or begin later.
create or replace function billing.count_room(p_wallet_id uuid) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return 1000 - (select count(*) from billing.grants g where g.wallet_id = p_wallet_id and g.standing in ('active', 'scheduled'));
end $$;

-- The state with a place for the grants of a wallet.
create or replace function billing.note_wallet(p_state wallet.room_state, p_wallet_id uuid) returns wallet.room_state
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if array_position(p_state.grant_wallets, p_wallet_id) is null then
    p_state.grant_wallets := p_state.grant_wallets || p_wallet_id;
    p_state.grants_held := p_state.grants_held || row('{}', false, false, 0)::billing.wallet_grants;
  end if;
  return p_state;
end $$;

-- The state with a new grant of a wallet; where it is effective, debits can take from it.
create or replace function billing.add_grant(p_state wallet.room_state, p_index integer, p_grant billing.grants, p_caller jsonb)
returns wallet.room_state
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_held billing.wallet_grants;
begin
  p_state.grants_new := p_state.grants_new || p_grant;
  p_state.grant_events := p_state.grant_events || row('grant.created', p_grant.grant_id, null, p_caller)::billing.grant_event;
  if p_grant.transaction_id is not null then
    v_held := billing.read_all_grants(p_grant.wallet_id, p_state.grants_held[p_index]);
    v_held.grants := billing.sort_grants(v_held.grants || row(p_grant.grant_id, p_grant.priority, p_grant.effective_at,
      p_grant.expires_at, p_grant.pays, p_grant.is_transferable, p_grant.remaining, 0, 0, 0, 0, null, false)::billing.grant_state);
    v_held.is_restricted := v_held.is_restricted or p_grant.pays is not null;
    p_state.grants_held[p_index] := v_held;
  end if;
  return p_state;
end $$;
