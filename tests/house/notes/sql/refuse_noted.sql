-- A posting rule: a wallet with a note "stop" is debited no more.
create or replace function samples.refuse_noted(p_operation wallet.operation, p_decision wallet.decision,
  p_decisions wallet.decision[]) returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_decision.entries[1].direction = 'debit' and exists (
    select from samples.notes n where n.wallet_id = p_decision.entries[1].wallet_id::text and n.text = 'stop')
  then
    return wallet.build_refusal('forbidden', pg_catalog.jsonb_build_object('note', 'stop'));
  end if;
  return null;
end $$;
