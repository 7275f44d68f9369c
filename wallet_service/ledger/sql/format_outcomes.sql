-- The result of a call: for each unit an array of outcomes, one a line, so that a client can pass an outcome on without parsing it.
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
      else '{"status":"' || v_decision.status || case when v_op.form = 'room' then '","result":' || v_decision.result
          || ',"transaction":' else '","transaction":' end || case when cardinality(v_decision.entries) > 0 then wallet.format_posting(v_decision.entries,
        v_decision.exponent, v_op.acting_user_id, v_decision.status = 'dry_run') else 'null' end || '}'
      end || case when not v_op.ends_unit then '' when v_op.ordinal = array_length(p_operations, 1) then E'\n]'
        else E'\n],\n' end;
  end loop;
  return '[' || array_to_string(v_lines, '') || ']';
end $$;

-- A posting as callers see it: its first leg (or the first on the viewer's own wallet, if there is one), and under legs every leg
-- where it has more than one. p_exponent: of the first one's currency. A dry run is marked.
create or replace function wallet.format_posting(p_entries wallet.wallet_transactions[], p_exponent integer, p_viewer text,
  p_dry_run boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_first wallet.wallet_transactions;
  v_exponents integer[];
  v_legs text := '';
begin
  if array_length(p_entries, 1) = 1 then
    return left(wallet.format_entry(p_entries[1], p_exponent, p_viewer), -1)
      || ',"legs":null,"dry_run":' || p_dry_run::text || '}';
  end if;
  v_first := p_entries[1];
  for i in 1 .. array_length(p_entries, 1) loop
    v_exponents[i] := case p_entries[i].currency when p_entries[1].currency then p_exponent
      else (select c.exponent from wallet.currencies c where c.code = p_entries[i].currency) end;
    if v_first.user_id <> p_viewer and p_entries[i].user_id = p_viewer then
      v_first := p_entries[i];
    end if;
    v_legs := v_legs || case i when 1 then '[' else ',' end || wallet.format_entry(p_entries[i], v_exponents[i], p_viewer);
  end loop;
  return left(wallet.format_entry(v_first, v_exponents[v_first.leg + 1], p_viewer), -1)
    || ',"legs":' || v_legs || '],"dry_run":' || p_dry_run::text || '}';
end $$;

-- A ledger row as callers see it. p_viewer: the user of the request, or null for a service. A row of another user's wallet shows
-- neither its balances nor its version nor its owner. The values are in the order of the type.
create or replace function wallet.format_entry(p_entry wallet.wallet_transactions, p_exponent integer, p_viewer text)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_shown constant boolean := (p_entry.user_id <> p_viewer) is not true;
begin
  return row_to_json(row(
    p_entry.transaction_id, p_entry.leg, p_entry.transaction_type, p_entry.wallet_id,
    case when v_shown then p_entry.user_id end, p_entry.currency, p_entry.direction,
    wallet.format_amount(p_entry.amount, p_exponent),
    case when v_shown then wallet.format_amount(p_entry.balance_before, p_exponent) end,
    case when v_shown then wallet.format_amount(p_entry.balance_after, p_exponent) end,
    case when v_shown then p_entry.wallet_version end,
    p_entry.counter_account, p_entry.original_transaction_id,
    case when p_viewer is null or p_entry.client_id not like 'user:%'
      or substr(p_entry.client_id, strpos(p_entry.client_id, '|') + 1) = p_viewer then p_entry.client_id end,
    p_entry.reference, p_entry.description, p_entry.metadata,
    wallet.format_time(p_entry.effective_at), wallet.format_time(p_entry.created_at))::wallet.shown_entry)::text;
end $$;
