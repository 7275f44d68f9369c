-- Decides an operation of type hold: a part of the balance is kept for a payment. terms: expires_at or expires_in_s; defaults has the
-- settings of the service: expires_in_s, longest_s, most_open, notice_s.
create or replace function billing.decide_hold(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_hold billing.holds := billing.build_hold(p_operation, v_account, greatest(p_now, v_account.last_posted_at));
begin
  p_step.decision := billing.refuse_hold(p_operation, v_account, v_hold, p_step.state, p_now);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  return billing.keep_more(p_operation, p_step, 'hold.created', null, v_hold, p_operation.amount, p_now);
end $$;

-- The row of a hold that an operation asks for.
create or replace function billing.build_hold(p_operation wallet.operation, p_account wallet.account, p_at timestamptz)
returns billing.holds
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_hold billing.holds;
begin
  v_hold.hold_id := p_operation.transaction_id;
  v_hold.wallet_id := p_account.wallet_id;
  v_hold.user_id := p_account.user_id;
  v_hold.currency := p_account.currency;
  v_hold.state := 'open';
  v_hold.amount := p_operation.amount;
  v_hold.authorised := 0;
  v_hold.captured := 0;
  v_hold.voided := 0;
  v_hold.expired := 0;
  v_hold.overage := 0;
  v_hold.counter_account := coalesce(p_operation.counter_account, 'revenue:usage');
  v_hold.placed_by := p_operation.acting_user_id;
  v_hold.grant_ids := '{}';
  v_hold.grant_amounts := '{}';
  v_hold.expires_at := billing.read_end(case when p_operation.terms ?| '{expires_at,expires_in_s}' then p_operation.terms
    else p_operation.terms -> 'defaults' end, p_at);
  v_hold.notice_at := billing.find_hold_notice(p_operation.terms, v_hold.expires_at, p_at);
  v_hold.reference := p_operation.reference;
  v_hold.metadata := p_operation.metadata;
  v_hold.created_at := p_at;
  return v_hold;
end $$;

-- The end that terms ask for: expires_at, or expires_in_s after p_at; null where it can't be read.
create or replace function billing.read_end(p_terms jsonb, p_at timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_terms ->> 'expires_at' is not null then wallet.read_time(p_terms ->> 'expires_at')
    when p_terms ->> 'expires_in_s' ~ '^[0-9]{1,9}$' then p_at + make_interval(secs => (p_terms ->> 'expires_in_s')::integer) end;
end $$;

-- When hold.ending is recorded: notice_s of the defaults before the end, if that is later than p_at; else never.
create or replace function billing.find_hold_notice(p_terms jsonb, p_end timestamptz, p_at timestamptz) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_notice constant interval := make_interval(secs => coalesce((p_terms -> 'defaults' ->> 'notice_s')::integer, 0));
begin
  return case when v_notice > interval '0' and p_at + v_notice < p_end then p_end - v_notice else 'infinity' end;
end $$;

-- What is wrong with the end of a hold, as member and message; null if nothing is. A hold lasts at most longest_s of the defaults from
-- its creation, 30 days by default.
create or replace function billing.find_end_fault(p_terms jsonb, p_end timestamptz, p_created_at timestamptz, p_after timestamptz)
returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_longest constant integer := coalesce((p_terms -> 'defaults' ->> 'longest_s')::integer, 2592000);
begin
  return case
    when p_end is null then array['/expires_at', 'give either expires_at, an RFC 3339 timestamp, or expires_in_s, whole seconds']
    when p_end <= p_after then array['/expires_at', 'must be after ' || wallet.format_time(p_after)]
    when p_end > p_created_at + make_interval(secs => v_longest) then array['/expires_at',
      format('must be at most %s seconds after the creation of the hold: %s or before', v_longest,
        wallet.format_time(p_created_at + make_interval(secs => v_longest)))] end;
end $$;

-- Why a hold can't be placed, or null.
create or replace function billing.refuse_hold(p_operation wallet.operation, p_account wallet.account, p_hold billing.holds,
  p_state wallet.room_state, p_now timestamptz) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_most constant integer := least(coalesce((p_operation.terms -> 'defaults' ->> 'most_open')::integer, 1000), 10000);
  v_fault text[] := case when p_hold.amount is null then array['/amount', 'must be given']
    else billing.find_end_fault(p_operation.terms, p_hold.expires_at, p_hold.created_at, p_hold.created_at) end;
begin
  if v_fault is not null then
    return wallet.build_refusal('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  elsif billing.count_open(p_state, p_account.wallet_id) >= v_most then
    return wallet.build_refusal('hold_limit', jsonb_build_object('wallet_id', p_account.wallet_id, 'limit', v_most));
  end if;
  return null;
end $$;

-- How many holds of a wallet are open, with what this call has decided.
create or replace function billing.count_open(p_state wallet.room_state, p_wallet_id uuid) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_open bigint := (select count(*) from billing.holds h where h.wallet_id = p_wallet_id and h.state = 'open');
begin
  if p_state.holds is not null then
    v_open := v_open + (select count(*) filter (where n.state = 'open') - count(o.hold_id) from unnest(p_state.holds) n
      left join billing.holds o on o.hold_id = n.hold_id and o.state = 'open' where n.wallet_id = p_wallet_id);
  end if;
  return v_open;
end $$;

-- Keeps an amount more for a hold, a new one or one that is increased: of grants in their order, and of what is not granted. Refused
-- where the wallet has it not, or has it in grants that can't pay the hold's counter account.
create or replace function billing.keep_more(p_operation wallet.operation, p_step wallet.step, p_event text, p_before billing.holds,
  p_hold billing.holds, p_amount numeric, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_step.accounts[1];
  v_reserved billing.reservation;
  v_part billing.grant_part;
  v_place integer;
begin
  p_step.decision := wallet.check_movement(v_account, -p_amount);
  if (p_step.decision).status is not null then
    return p_step;
  end if;
  v_reserved := billing.reserve_grants(p_step.state, v_account, p_amount, p_hold.counter_account, p_now);
  if v_reserved.shortfall > 0 then
    p_step.decision := wallet.build_refusal('grants_not_usable', jsonb_build_object('wallet_id', v_account.wallet_id,
      'currency', v_account.currency, 'shortfall', wallet.format_amount(v_reserved.shortfall, v_account.exponent),
      'not_usable', wallet.format_amount(v_account.balance - v_account.locked_balance + v_account.credit_limit - p_amount
        + v_reserved.shortfall, v_account.exponent)));
    return p_step;
  end if;
  p_step.state := v_reserved.state;
  foreach v_part in array v_reserved.parts loop
    v_place := coalesce(array_position(p_hold.grant_ids, v_part.grant_id), cardinality(p_hold.grant_ids) + 1);
    p_hold.grant_ids[v_place] := v_part.grant_id;
    p_hold.grant_amounts[v_place] := coalesce(p_hold.grant_amounts[v_place], 0) + v_part.amount;
  end loop;
  p_hold.authorised := p_hold.authorised + p_amount;
  return billing.note_hold(p_operation, p_step, p_event, p_before, p_hold, p_now);
end $$;
