-- The answers: for each unit an array of outcomes, one a line, so that a caller can hand an answer on unread.
create or replace function wallet.format_outcomes(p_operations wallet.operation[], p_decisions wallet.decision[]) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_decision wallet.decision;
  v_lines text[];
begin
  foreach v_op in array p_operations loop
    v_decision := p_decisions[v_op.ordinal];
    v_lines[v_op.ordinal] := case when v_op.position = 0 then E'[\n' else E'\n,\n' end || case v_decision.status
      when 'refused' then json_build_object('status', 'refused', 'code', v_decision.code, 'facts', v_decision.facts)::text
      when 'busy' then json_build_object('status', 'busy', 'wallet_id', v_decision.facts -> 'wallet_id')::text
      else '{"status":"' || v_decision.status || '","transaction":' || wallet.format_posting(v_decision.entries,
        v_decision.exponent, v_op.acting_user_id, v_decision.status = 'dry_run') || '}'
      end || case when not v_op.ends_unit then '' when v_op.ordinal = array_length(p_operations, 1) then E'\n]'
        else E'\n],\n' end;
  end loop;
  return '[' || array_to_string(v_lines, '') || ']';
end $$;
