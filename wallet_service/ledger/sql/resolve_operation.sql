-- Finds what an operation needs to be decided: its accounts and, for a refund, what it reverses and how much of that
-- was refunded before, by earlier calls and by this one.
create or replace function wallet.resolve_operation(p_op wallet.operation, p_accounts wallet.account[], p_ids uuid[],
  p_decisions wallet.decision[], p_now timestamptz) returns wallet.decision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_original wallet.wallet_transactions[];
  v_refunded numeric := 0;
  v_source wallet.account;
  v_target wallet.account;
begin
  if p_op.type = 'refund' then
    v_original := coalesce(wallet.find_posting(p_op.original_transaction_id), (select d.entries from unnest(p_decisions) d
      where d.fresh and d.entries[1].transaction_id = p_op.original_transaction_id limit 1));
    select coalesce(sum(r.amount), 0) into v_refunded from (
      select t.amount from wallet.wallet_transactions t
        where t.original_transaction_id = p_op.original_transaction_id and t.leg = 0
      union all select d.entries[1].amount from unnest(p_decisions) d
        where d.fresh and d.entries[1].original_transaction_id = p_op.original_transaction_id) r;
    v_source := p_accounts[array_position(p_ids, v_original[1].wallet_id)];
    v_target := p_accounts[array_position(p_ids, v_original[2].wallet_id)];
  else
    v_source := p_accounts[array_position(p_ids, p_op.wallet_id)];
    v_target := p_accounts[array_position(p_ids, p_op.to_wallet_id)];
  end if;
  -- What a refund reverses may have been posted after the wallets were locked, and these are not among them.
  if v_source.status = 'busy' or v_target.status = 'busy' or v_original is not null
    and (v_source.wallet_id is null or v_original[2].wallet_id is not null and v_target.wallet_id is null) then
    return row('busy', null, jsonb_build_object('wallet_id', case when v_source.status = 'busy' then v_source.wallet_id
      when v_target.status = 'busy' then v_target.wallet_id end), null, null, false)::wallet.decision;
  end if;
  return wallet.decide_operation(p_op, v_source, v_target, v_original, v_refunded, p_now);
end $$;
