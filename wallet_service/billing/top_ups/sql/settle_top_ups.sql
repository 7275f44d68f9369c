-- Resumes the rules whose pauses are over (ledger: open_room_state.sql). Their wallets are changed, so write_top_ups looks at them.
create or replace function billing.settle_top_ups(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_rule billing.top_up_rules;
  v_after billing.top_up_rules;
begin
  for i in 1 .. cardinality(p_settlement.accounts) loop
    continue when p_settlement.accounts[i].is_due is not true or (p_settlement.accounts[i].marks & 16) = 0;
    select * into v_rule from billing.top_up_rules r where r.wallet_id = p_settlement.accounts[i].wallet_id;
    if v_rule.paused_until <= p_now then
      update billing.top_up_rules r set pause_reason = null, paused_until = null where r.wallet_id = v_rule.wallet_id
        returning * into v_after;
      perform billing.record_top_up_rule('{"actor": "service"}', 'top_up_rule.resumed', v_rule, v_after);
    elsif v_rule.paused_until < p_settlement.accounts[i].due_at then
      p_settlement.accounts[i].due_at := v_rule.paused_until;
    end if;
  end loop;
  return p_settlement;
end $$;
