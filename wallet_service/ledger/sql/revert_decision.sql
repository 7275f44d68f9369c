-- What becomes of a decision whose unit gives back what it changed. p_failed is the decision that failed the unit,
-- if one did (p_is_failed: it is this one); without it the unit was a dry run.
create or replace function wallet.revert_decision(p_decision wallet.decision, p_is_failed boolean, p_failed wallet.decision,
  p_failed_op wallet.operation) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_failed.status = 'busy' then
    return row('busy', null, p_failed.facts, null, null, false)::wallet.decision;
  elsif p_failed.status is not null then
    return case when p_is_failed then p_decision
      else wallet.build_refusal('batch_aborted', jsonb_build_object('index', p_failed_op.position)) end;
  elsif p_decision.status in ('posted', 'replayed') then
    p_decision.status := 'dry_run';
    p_decision.fresh := false;
  end if;
  return p_decision;
end $$;
