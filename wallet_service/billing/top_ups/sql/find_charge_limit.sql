-- When a rule may charge this amount, if it may not now: at most max_charges charges, and max_amount in all, begin in any window of
-- window_s seconds. Null: it may; infinity: never. Charges that were declined, and top-ups on request, don't count.
create or replace function billing.find_charge_limit(p_rule billing.top_up_rules, p_amount numeric, p_now timestamptz)
returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_span constant interval := make_interval(secs => p_rule.window_s);
  v_charged record;
  v_count integer := 0;
  v_sum numeric := p_amount;
begin
  if p_amount > p_rule.max_amount then
    return 'infinity';
  end if;
  -- The newest first: the first that is too much must fall out of the window, and with it all before it.
  for v_charged in select t.started_at, t.amount from billing.top_ups t
      where t.wallet_id = p_rule.wallet_id and t.trigger = 'rule' and t.started_at is not null
        and t.state not in ('declined', 'cancelled') and t.started_at > p_now - v_span
      order by t.started_at desc loop
    v_count := v_count + 1;
    v_sum := v_sum + v_charged.amount;
    if v_count >= p_rule.max_charges or v_sum > p_rule.max_amount then
      return v_charged.started_at + v_span;
    end if;
  end loop;
  return null;
end $$;

-- Pauses the rule of a wallet that the caller has locked; p_until infinity: until it is set again. A pause that is as long stays.
create or replace function billing.pause_top_ups(p_rule billing.top_up_rules, p_reason text, p_until timestamptz, p_caller jsonb)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_after billing.top_up_rules;
begin
  if p_rule.paused_until >= p_until then
    return;
  end if;
  update billing.top_up_rules r set pause_reason = p_reason, paused_until = p_until where r.wallet_id = p_rule.wallet_id
    returning * into v_after;
  if p_until < 'infinity' then
    update wallet.wallets w set due_at = p_until where w.wallet_id = p_rule.wallet_id and w.due_at > p_until;
  end if;
  perform billing.record_top_up_rule(p_caller, 'top_up_rule.paused', p_rule, v_after);
end $$;
