-- The rule of a wallet, after what was due on it; p_user_id: the user of the request, or null for a service.
create or replace function wallet_api.get_top_up_rule(p_wallet_id uuid, p_user_id text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_rule billing.top_up_rules;
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_user_id is null or w.user_id = p_user_id)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  select * into v_rule from billing.top_up_rules r where r.wallet_id = p_wallet_id and r.is_set;
  if v_rule.wallet_id is null then
    perform wallet.refuse_call('top_up_rule_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  return billing.format_top_up_rule(v_rule);
end $$;
