-- A check of a member: a movement has no note "wrong".
create or replace function samples.check_movement_note(p_operation wallet.operation, p_decision wallet.decision)
returns wallet.decision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_operation.terms ->> 'note' = 'wrong' then
    return wallet.build_refusal('note_too_long', pg_catalog.jsonb_build_object('balance', wallet.format_amount(p_decision.entries[1].balance_after, p_decision.exponent)));
  end if;
  return null;
end $$;
