-- A decision against an operation.
create or replace function wallet.build_refusal(p_code text, p_facts jsonb default '{}') returns wallet.decision
language sql immutable as $$
  select row('refused', p_code, p_facts, null, null, false)::wallet.decision
$$;
