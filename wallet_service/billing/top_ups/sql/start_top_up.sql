-- Begins the charge, or cancels the top-up where it is not needed any more, or not allowed. p_refusal: {code, detail}: the creator may
-- not charge any more; null: it may, at most p_most. Returns the state.
create or replace function wallet_api.start_top_up(p_top_up_id uuid, p_refusal jsonb default null, p_most text default null,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_before constant billing.top_ups := billing.lock_top_up(p_top_up_id);
  v_now constant timestamptz := wallet.clock();
  v_wallet wallet.wallets;
  v_rule billing.top_up_rules;
  v_amount numeric := v_before.amount;
  v_method text := v_before.payment_method;
  v_refusal jsonb := p_refusal;
  v_after billing.top_ups;
begin
  if v_before.state <> 'created' then
    return to_json(v_before.state)::text;
  end if;
  select * into v_wallet from wallet.wallets w where w.wallet_id = v_before.wallet_id;
  if v_before.trigger = 'rule' then
    select * into v_rule from billing.top_up_rules r where r.wallet_id = v_before.wallet_id;
    v_method := v_rule.payment_method;
    v_amount := coalesce(v_rule.amount, v_rule.target - (v_wallet.balance - v_wallet.locked_balance));
    v_refusal := coalesce(billing.refuse_rule(v_rule, v_wallet, v_amount, p_refusal, v_now, p_caller), v_refusal);
  end if;
  v_refusal := coalesce(case
    when v_wallet.status <> 'active' then billing.build_failure('wallet_' || v_wallet.status, 'The wallet is ' || v_wallet.status)
    when v_wallet.balance + v_amount >= 1e20 then billing.build_failure('balance_limit', 'The balance would exceed the limit')
    when v_amount > wallet.read_amount(p_most) then billing.build_failure('forbidden', 'The key moves less in an operation') end, v_refusal);
  update billing.top_ups t set state = case when v_refusal is null then 'charging' else 'cancelled' end,
      amount = case when v_refusal is null then v_amount else t.amount end,
      payment_method = case when v_refusal is null then v_method else t.payment_method end,
      started_at = case when v_refusal is null then v_now end, failure = v_refusal,
      ended_at = case when v_refusal is not null then v_now end, updated_at = v_now
    where t.top_up_id = p_top_up_id returning * into v_after;
  if v_refusal is null then
    perform billing.record_top_up(p_caller, 'top_up.started', v_before, v_after);
  else
    perform billing.record_top_up(p_caller, 'top_up.cancelled', v_before, v_after);
  end if;
  return to_json(v_after.state)::text;
end $$;

-- Why a rule does not charge now, although it has started a top-up: {code, detail}; null if it does. Where that will not change by
-- itself, or not soon, the rule is paused.
create or replace function billing.refuse_rule(p_rule billing.top_up_rules, p_wallet wallet.wallets, p_amount numeric, p_refusal jsonb,
  p_now timestamptz, p_caller jsonb) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_until timestamptz;
begin
  if p_rule.is_set is not true then
    return billing.build_failure('rule_deleted', 'The rule was deleted');
  elsif p_rule.paused_until is not null then
    return billing.build_failure('rule_paused', 'The rule is paused');
  elsif p_wallet.balance - p_wallet.locked_balance > p_rule.threshold then
    return billing.build_failure('not_needed', 'The available balance is above the threshold again');
  elsif p_refusal is not null then
    perform billing.pause_top_ups(p_rule, 'rights_lost', 'infinity', p_caller);
    return p_refusal;
  end if;
  v_until := billing.find_charge_limit(p_rule, p_amount, p_now);
  if v_until is not null then
    perform billing.pause_top_ups(p_rule, 'charge_limit', v_until, p_caller);
    return billing.build_failure('charge_limit', 'The rule has reached its limit of charges');
  end if;
  return null;
end $$;

-- Why a top-up ended without a deposit.
create or replace function billing.build_failure(p_code text, p_detail text) returns jsonb
language sql immutable as $$
  select pg_catalog.jsonb_build_object('code', p_code, 'detail', p_detail)
$$;
