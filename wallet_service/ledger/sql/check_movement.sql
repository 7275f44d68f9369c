-- Whether an account takes a signed movement: null, or the decision against it.
create or replace function wallet.check_movement(p_account wallet.account, p_amount numeric) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_available numeric := p_account.balance - p_account.locked_balance + p_account.credit_limit;
  v_facts jsonb := jsonb_build_object('wallet_id', p_account.wallet_id);
begin
  if p_account.status = 'closed' then
    return wallet.build_refusal('wallet_closed', v_facts);
  elsif p_amount > 0 then
    if p_account.balance + p_amount >= 1e20 then
      return wallet.build_refusal('balance_limit', v_facts);
    end if;
  elsif p_account.status = 'frozen' then
    return wallet.build_refusal('wallet_frozen', v_facts);
  elsif v_available + p_amount < 0 then
    return wallet.build_refusal('insufficient_funds', v_facts || jsonb_build_object(
      'shortfall', wallet.format_amount(-p_amount - v_available, p_account.exponent)));
  end if;
  return null;
end $$;
