-- Step 5. Writes all rows in one statement and each wallet once, names the rows for the readers of events (delivery/events), and
-- settles the claims of operations that did not post. An outcome that rests on an earlier commit waits for the replication of that
-- commit.
create or replace function wallet.write_postings(p_operations wallet.operation[], p_claimed boolean[],
  p_decided wallet.decided) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_decision wallet.decision;
  v_entry wallet.wallet_transactions;
  v_entries wallet.wallet_transactions[] := '{}';
  v_decisions wallet.decision[] := p_decided.decisions;
  v_due wallet.wallet_transactions[] := '{}';
  v_wallet_ids uuid[] := '{}';    -- of v_entries
  v_wallet_versions bigint[] := '{}';
  v_unsettled boolean := false;
  v_rests boolean := false;    -- on what earlier calls committed
  v_takes_part boolean := (p_decided.state).marks > 0;    -- a room
begin
  if p_decided.due is not null then
    v_decisions := row('posted', null, null, null, p_decided.due, true, null)::wallet.decision || v_decisions;
  end if;
  foreach v_decision in array v_decisions loop
    if v_decision.fresh then
      foreach v_entry in array v_decision.entries loop
        v_entries := v_entries || v_entry;
        v_wallet_ids := v_wallet_ids || v_entry.wallet_id;
        v_wallet_versions := v_wallet_versions || v_entry.wallet_version;
        if v_entry.wallet_version % 1000 = 0 then
          v_due := v_due || v_entry;
        end if;
      end loop;
    else
      v_unsettled := true;
      v_rests := v_rests or v_decision.status in ('posted', 'replayed') or v_decision.code = 'transaction_superseded';
    end if;
  end loop;
  if cardinality(v_entries) > 0 then
    insert into wallet.wallet_transactions select e.* from unnest(v_entries) e;
    insert into platform.outbox (wallet_ids, wallet_versions) values (v_wallet_ids, v_wallet_versions);
  end if;
  if v_takes_part then
    update wallet.wallets w set balance = a.balance, last_entry = a.last_entry, last_posted_at = a.last_posted_at,
        locked_balance = a.locked_balance, marks = a.marks, due_at = a.due_at
      from unnest(p_decided.accounts) a where w.wallet_id = a.wallet_id and (w.last_entry < a.last_entry or a.changed);
    perform wallet.write_room_state(p_decided, p_operations);
    perform wallet.write_results(p_operations, p_decided.decisions);
  elsif cardinality(v_entries) > 0 then
    update wallet.wallets w set balance = a.balance, last_entry = a.last_entry, last_posted_at = a.last_posted_at
      from unnest(p_decided.accounts) a where w.wallet_id = a.wallet_id and w.last_entry < a.last_entry;
  end if;
  foreach v_entry in array v_due loop
    perform wallet.write_checkpoint(v_entry.wallet_id, v_entry.wallet_version);
  end loop;
  if v_unsettled then
    perform wallet.settle_claims(p_operations, p_claimed, p_decided.decisions);
  end if;
  if v_rests then
    perform wallet.await_replication();
  end if;
end $$;

-- Stores the results of operations that rooms decided, with the keys under which they are found again.
create or replace function wallet.write_results(p_operations wallet.operation[], p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_clients text[] := '{}';
  v_keys text[] := '{}';
  v_results text[] := '{}';
begin
  foreach v_op in array p_operations loop
    if v_op.form = 'room' and p_decisions[v_op.ordinal].fresh then
      v_clients := v_clients || v_op.client_id;
      v_keys := v_keys || v_op.idempotency_key;
      v_results := v_results || p_decisions[v_op.ordinal].result;
    end if;
  end loop;
  if v_keys <> '{}' then
    update wallet.idempotency i set answer = n.result from unnest(v_clients, v_keys, v_results) as n (client_id, key, result)
      where i.client_id = n.client_id and i.key = n.key;
  end if;
end $$;

-- Totals of a wallet's rows up to p_version, a multiple of 1,000: the last checkpoint and the rows since. Transfers between
-- wallets are counted under one counter account.
create or replace function wallet.write_checkpoint(p_wallet_id uuid, p_version bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet.checkpoints
    select p_wallet_id, p_version, s.transaction_type, s.direction, s.counter_account, sum(s.transactions), sum(s.amount)
    from (
      select c.transaction_type, c.direction, c.counter_account, c.transactions, c.amount from wallet.checkpoints c
        where c.wallet_id = p_wallet_id and c.wallet_version = p_version - 1000
      union all
      select t.transaction_type, t.direction, wallet.group_counter_account(t.counter_account), 1, t.amount
        from wallet.wallet_transactions t
        where t.wallet_id = p_wallet_id and t.wallet_version > p_version - 1000 and t.wallet_version <= p_version
    ) s
    group by s.transaction_type, s.direction, s.counter_account;
end $$;

-- Of the keys that this call claimed: releases those under which nothing posted, and names the operation that posted where it was
-- not the one that claimed.
create or replace function wallet.settle_claims(p_operations wallet.operation[], p_claimed boolean[],
  p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  delete from wallet.idempotency i using (
      select o.client_id, o.idempotency_key from unnest(p_operations) o
      where p_claimed[o.leader] and o.refusal is null
      group by o.client_id, o.idempotency_key having not bool_or(p_decisions[o.ordinal].fresh)) g
    where i.client_id = g.client_id and i.key = g.idempotency_key;
  update wallet.idempotency i set transaction_id = o.transaction_id, request_hash = o.request_hash
    from unnest(p_operations) o
    where p_decisions[o.ordinal].fresh and not o.claims and i.client_id = o.client_id and i.key = o.idempotency_key;
end $$;

-- An operation that was sent before and is refused now leaves a tombstone with the attempt and sending, unless its transaction_id
-- is in the ledger (posted under another key, or by another operation of this call). Where a later attempt posts after all, the
-- tombstone of an earlier one is removed: from now on the key keeps the others from posting.
create or replace function wallet.settle_tombstones(p_operations wallet.operation[], p_decisions wallet.decision[]) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  insert into wallet.tombstones as d (transaction_id, created_at, attempt, sending)
    select distinct on (o.transaction_id) o.transaction_id, wallet.clock(), o.attempt, o.sending from unnest(p_operations) o
    where o.resent and not o.dry_run and p_decisions[o.ordinal].status = 'refused' and o.transaction_id is not null
      and not exists (select from wallet.wallet_transactions t where t.transaction_id = o.transaction_id)
    order by o.transaction_id, o.attempt desc, o.sending desc
    on conflict (transaction_id) do update set attempt = excluded.attempt, sending = excluded.sending
      where (d.attempt, d.sending) < (excluded.attempt, excluded.sending);
  delete from wallet.tombstones d using unnest(p_operations) o
    where o.resent and p_decisions[o.ordinal].fresh and d.transaction_id = o.transaction_id;
end $$;
