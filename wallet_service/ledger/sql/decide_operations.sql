-- Step 4. Decides the operations one by one, in order, in memory: each sees what those before it changed. A unit that
-- is atomic and fails, or is busy, or is a dry run, gives back what it changed.
create or replace function wallet.decide_operations(p_operations wallet.operation[], p_claimed boolean[],
  p_accounts wallet.account[]) returns wallet.decided
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_known wallet.known := wallet.read_known(p_operations, p_claimed);
  v_ids uuid[];
  v_now timestamptz := wallet.clock();
  v_decisions wallet.decision[];
  v_winners integer[] := array_fill(null::integer, array[coalesce(array_length(p_operations, 1), 1)]);
  v_saved wallet.account[];
  v_first integer := 1;
  v_failed integer;
  v_op wallet.operation;
  v_decision wallet.decision;
  v_entry wallet.wallet_transactions;
  v_index integer;
begin
  for i in 1 .. coalesce(array_length(p_accounts, 1), 0) loop
    v_ids[i] := p_accounts[i].wallet_id;
  end loop;
  foreach v_op in array p_operations loop
    if v_op.position = 0 then
      v_first := v_op.ordinal;
      v_failed := null;
      v_saved := case when v_op.atomic or v_op.dry_run then p_accounts end;
    end if;
    if v_failed is not null then
      v_decision := wallet.build_refusal('batch_aborted');
    else
      v_decision := wallet.recall_decision(v_op, p_operations[v_winners[v_op.leader]], v_decisions[v_winners[v_op.leader]],
        v_known, p_claimed[v_op.leader]);
      if v_decision.status is null then
        v_decision := wallet.resolve_operation(v_op, p_accounts, v_ids, v_decisions, v_now);
        if v_decision.status = 'posted' then
          v_winners[v_op.leader] := v_op.ordinal;
          foreach v_entry in array v_decision.entries loop
            v_index := array_position(v_ids, v_entry.wallet_id);
            p_accounts[v_index].balance := v_entry.balance_after;
            p_accounts[v_index].last_entry := v_entry.wallet_version;
            p_accounts[v_index].last_posted_at := v_entry.created_at;
          end loop;
        end if;
      end if;
      if v_op.atomic and v_decision.status in ('refused', 'busy') then
        v_failed := v_op.ordinal;
      end if;
    end if;
    v_decisions[v_op.ordinal] := v_decision;
    if v_op.ends_unit and (v_failed is not null or v_op.dry_run) then
      p_accounts := v_saved;
      for i in v_first .. v_op.ordinal loop
        if v_winners[p_operations[i].leader] >= v_first then
          v_winners[p_operations[i].leader] := null;
        end if;
        v_decisions[i] := wallet.revert_decision(v_decisions[i], i = v_failed, v_decisions[v_failed], p_operations[v_failed]);
      end loop;
    end if;
  end loop;
  return row(p_accounts, v_decisions)::wallet.decided;
end $$;
