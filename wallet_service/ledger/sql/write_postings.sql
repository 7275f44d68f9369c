-- Step 5. Writes all rows at once and each wallet once, and settles the claims of what didn't post.
create or replace function wallet.write_postings(p_operations wallet.operation[], p_claimed boolean[],
  p_accounts wallet.account[], p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_decision wallet.decision;
  v_entry wallet.wallet_transactions;
  v_entries wallet.wallet_transactions[] := '{}';
  v_due wallet.wallet_transactions[] := '{}';
  v_unsettled boolean := false;
begin
  foreach v_decision in array p_decisions loop
    if v_decision.fresh then
      foreach v_entry in array v_decision.entries loop
        v_entries := v_entries || v_entry;
        if v_entry.wallet_version % 1000 = 0 then
          v_due := v_due || v_entry;
        end if;
      end loop;
    else
      v_unsettled := true;
    end if;
  end loop;
  if cardinality(v_entries) > 0 then
    insert into wallet.wallet_transactions select e.* from unnest(v_entries) e;
    update wallet.wallets w set balance = a.balance, last_entry = a.last_entry, last_posted_at = a.last_posted_at
      from unnest(p_accounts) a where w.wallet_id = a.wallet_id and w.last_entry < a.last_entry;
  end if;
  foreach v_entry in array v_due loop
    perform wallet.write_checkpoint(v_entry.wallet_id, v_entry.wallet_version);
  end loop;
  if v_unsettled then
    perform wallet.settle_claims(p_operations, p_claimed, p_decisions);
  end if;
end $$;
