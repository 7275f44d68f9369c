-- The decision that needs no account: refused for its form, or its key or transaction_id was used before. p_winner is
-- the operation of this call that posted under the same key, if one did. Null when the operation is still to be decided.
create or replace function wallet.recall_decision(p_op wallet.operation, p_winner wallet.operation, p_won wallet.decision,
  p_known wallet.known, p_claimed boolean) returns wallet.decision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_spent constant wallet.idempotency := p_known.spent[p_op.leader];
  v_entries wallet.wallet_transactions[];
begin
  if p_op.refusal is not null then
    return wallet.build_refusal(p_op.refusal, p_op.facts);
  elsif p_op.transaction_id = any (p_known.superseded) then
    return wallet.build_refusal('transaction_superseded', jsonb_build_object('transaction_id', p_op.transaction_id));
  elsif p_winner.ordinal is not null then
    if p_winner.request_hash <> p_op.request_hash then
      return wallet.build_refusal('idempotency_key_reused');
    end if;
    return row(case when p_winner.transaction_id = p_op.transaction_id or p_winner.dry_run then 'posted'
      else 'replayed' end, null, null, p_won.exponent, p_won.entries, false)::wallet.decision;
  elsif v_spent.transaction_id is not null then
    if v_spent.kind <> 'posting' or v_spent.request_hash <> p_op.request_hash then
      return wallet.build_refusal('idempotency_key_reused');
    end if;
    v_entries := wallet.find_posting(v_spent.transaction_id);
    return (select row(case when v_spent.transaction_id = p_op.transaction_id then 'posted' else 'replayed' end, null, null,
      c.exponent, v_entries, false)::wallet.decision from wallet.currencies c where c.code = v_entries[1].currency);
  elsif not p_claimed and not p_op.dry_run then
    -- Its key was spent when it was claimed and is free now: somebody is deciding on it.
    return row('busy', null, null, null, null, false)::wallet.decision;
  elsif p_op.transaction_id = any (p_known.posted) then
    return wallet.build_refusal('idempotency_key_reused', jsonb_build_object('transaction_id', p_op.transaction_id));
  end if;
  return null;
end $$;
