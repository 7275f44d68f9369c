-- Step 4. Decides the operations in order, in memory. A unit is reverted if it is a dry run, or atomic with an operation that can't post.
create or replace function wallet.decide_operations(p_operations wallet.operation[], p_claimed boolean[],
  p_accounts wallet.account[]) returns wallet.decided
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_known wallet.known := wallet.read_known(p_operations, p_claimed);
  v_ids uuid[];
  v_marks integer := 0;      -- of the rooms that take part
  v_now timestamptz := wallet.clock();
  v_settlement wallet.settlement;
  v_state wallet.room_state;
  v_saved_state wallet.room_state;
  v_decisions wallet.decision[];
  v_winners integer[] := array_fill(null::integer, array[coalesce(array_length(p_operations, 1), 1)]);
  v_saved wallet.account[];
  v_first integer := 1;
  v_failed integer;
  v_refused_unit integer;    -- the first one of this call with a refused operation that was sent before
  v_op wallet.operation;
  v_decision wallet.decision;
  v_step wallet.step;
  v_account wallet.account;
  v_entry wallet.wallet_transactions;
  v_index integer;
begin
  for i in 1 .. coalesce(array_length(p_accounts, 1), 0) loop
    v_ids[i] := p_accounts[i].wallet_id;
    v_marks := v_marks | p_accounts[i].marks;
  end loop;
  if v_marks > 0 then
    v_settlement := wallet.settle_accounts(p_accounts, v_marks, v_now);
    p_accounts := v_settlement.accounts;
    v_state := v_settlement.state;
  end if;
  foreach v_op in array p_operations loop
    if v_op.position = 0 then
      v_first := v_op.ordinal;
      v_failed := null;
      v_saved := case when v_op.atomic or v_op.dry_run then p_accounts end;
      v_saved_state := v_state;
    end if;
    v_decision := case when v_failed is not null then wallet.build_refusal('batch_aborted') else coalesce(
      case when v_refused_unit < v_op.unit then wallet.refuse_overtaken(v_op, p_operations, v_decisions, v_winners, v_known) end,
      wallet.recall_decision(v_op, p_operations[v_winners[v_op.leader]], v_decisions[v_winners[v_op.leader]], v_known,
        p_claimed[v_op.leader])) end;
    if v_decision.status is null then
      v_step := case when v_op.form = 'room' or v_state.marks > 0 then wallet.decide_with_rooms(v_op, p_accounts, v_ids, v_decisions, v_state, v_now) end;
      v_decision := coalesce(v_step.decision, wallet.resolve_operation(v_op, p_accounts, v_ids, v_decisions, v_now));
      v_decision := coalesce(case when v_decision.status = 'posted' then coalesce(wallet.apply_posting_rules(v_op, v_decision, v_decisions),
        case when v_op.terms is not null and v_op.form <> 'room' then wallet.check_posting_members(v_op, v_decision) end) end, v_decision);
      if v_decision.status = 'posted' then
        v_winners[v_op.leader] := v_op.ordinal;
        foreach v_account in array coalesce(v_step.accounts, '{}') loop
          p_accounts[array_position(v_ids, v_account.wallet_id)] := v_account;
          v_state := v_step.state;
        end loop;
        foreach v_entry in array coalesce(v_decision.entries, '{}') loop
          v_index := array_position(v_ids, v_entry.wallet_id);
          p_accounts[v_index].balance := v_entry.balance_after;
          p_accounts[v_index].last_entry := v_entry.wallet_version;
          p_accounts[v_index].last_posted_at := v_entry.created_at;
        end loop;
      end if;
    end if;
    v_failed := coalesce(v_failed, case when v_op.atomic and v_decision.status in ('refused', 'busy') then v_op.ordinal end);
    v_decisions[v_op.ordinal] := v_decision;
    v_refused_unit := least(v_refused_unit, case when v_op.resent and not v_op.dry_run and v_decision.status = 'refused' then v_op.unit end);
    if v_op.ends_unit and (v_failed is not null or v_op.dry_run) then
      p_accounts := v_saved;
      v_state := v_saved_state;
      for i in v_first .. v_op.ordinal loop
        v_index := v_winners[p_operations[i].leader];
        v_winners[p_operations[i].leader] := case when v_index < v_first then v_index end;
        v_decisions[i] := wallet.revert_decision(v_decisions[i], i = v_failed, v_decisions[v_failed], p_operations[v_failed]);
      end loop;
    end if;
  end loop;
  return row(p_accounts, v_decisions, v_state, v_settlement.entries)::wallet.decided;
end $$;

-- The accounts of a call with marks, after what was due on them; and what rooms read of them.
create or replace function wallet.settle_accounts(p_accounts wallet.account[], p_marks integer, p_now timestamptz)
returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state;
  v_is_due boolean := false;
begin
  v_state.marks := p_marks;
  for i in 1 .. array_length(p_accounts, 1) loop
    if p_accounts[i].due_at <= p_now then
      v_is_due := true;
      p_accounts[i].is_due := true;
      p_accounts[i].due_at := 'infinity';
      p_accounts[i].changed := true;
    end if;
  end loop;
  return wallet.open_room_state(row(p_accounts, v_state, '{}')::wallet.settlement, v_is_due, p_now);
end $$;

-- Decides an operation in a call in which rooms take part. The step has the accounts of the wallets that it touches, if it posts and
-- a room takes part in it.
create or replace function wallet.decide_with_rooms(p_op wallet.operation, p_accounts wallet.account[], p_ids uuid[],
  p_decisions wallet.decision[], p_state wallet.room_state, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_step wallet.step;
  v_entry wallet.wallet_transactions;
  v_account wallet.account;
  v_accounts wallet.account[];
  v_marks integer := 0;
begin
  if p_op.form = 'room' then
    v_step := wallet.resolve_by_room(p_op, p_accounts[array_position(p_ids, p_op.wallet_id)],
      p_accounts[array_position(p_ids, p_op.to_wallet_id)], p_state, p_now);
    v_marks := (v_step.state).marks;
    if p_op.to_wallet_id is not null and (v_step.decision).status = 'posted' then
      -- It has become an operation of several entries, which the rooms follow as any of its type.
      p_op.type := (v_step.decision).entries[1].transaction_type;
      p_op.form := 'entries';
    end if;
  else
    v_step.decision := wallet.resolve_operation(p_op, p_accounts, p_ids, p_decisions, p_now);
    if (v_step.decision).status = 'posted' then
      foreach v_entry in array (v_step.decision).entries loop
        v_account := p_accounts[array_position(p_ids, v_entry.wallet_id)];
        v_marks := v_marks | v_account.marks;
        v_accounts := case when v_account = any (v_accounts) then v_accounts else v_accounts || v_account end;
      end loop;
    end if;
  end if;
  if (v_step.decision).status <> 'posted' then
    return v_step;
  end if;
  if v_marks > 0 then
    if v_accounts is not null then
      v_step.accounts := v_accounts;
      v_step.state := p_state;
    end if;
    v_step := wallet.follow_posting(p_op, v_step, p_now);
  end if;
  return v_step;
end $$;

-- An operation that a room decides, after the checks that hold for every operation on one wallet, or on two.
create or replace function wallet.resolve_by_room(p_op wallet.operation, p_account wallet.account, p_to_account wallet.account,
  p_state wallet.room_state, p_now timestamptz) returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_step wallet.step;
  v_accounts constant wallet.account[] := case when p_op.to_wallet_id is null then array[p_account]
    else array[p_account, p_to_account] end;
begin
  if 'busy' in (p_account.status, p_to_account.status) then
    v_step.decision := row('busy', null, jsonb_build_object('wallet_id', case p_account.status when 'busy' then p_account.wallet_id
      else p_to_account.wallet_id end), null, null, false, null)::wallet.decision;
    return v_step;
  end if;
  v_step.decision := wallet.refuse_accounts(p_op, wallet.find_operation_type(p_op.type),
    (array[row(p_op.wallet_id, p_op.amount, p_op.counter_account), row(p_op.to_wallet_id, null, null)]
      ::wallet.operation_entry[])[:cardinality(v_accounts)], v_accounts);
  if (v_step.decision).status is not null then
    return v_step;
  end if;
  v_step.accounts := v_accounts;
  v_step.state := p_state;
  return wallet.decide_by_room(p_op, v_step, p_now);
end $$;

-- Step 3. What earlier calls left that matters to these operations: attempts that were refused, transaction_ids that are in
-- the ledger, keys that were used and for which request. It is read after the locks are taken, so nothing is missed.
create or replace function wallet.read_known(p_operations wallet.operation[], p_claimed boolean[]) returns wallet.known
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_ids uuid[];
  v_unclaimed wallet.operation[];
  v_spent wallet.idempotency;
  v_known wallet.known;
begin
  foreach v_op in array p_operations loop
    v_ids[v_op.ordinal] := v_op.transaction_id;
    if v_op.refusal is null and p_claimed[v_op.leader] is not true then
      v_unclaimed := v_unclaimed || v_op;
    end if;
  end loop;
  select array(select s.transaction_id from wallet.tombstones s where s.transaction_id = any (v_ids)),
      array(select t.transaction_id from wallet.wallet_transactions t where t.transaction_id = any (v_ids) and t.leg = 0)
    into v_known.superseded, v_known.posted;
  foreach v_op in array coalesce(v_unclaimed, '{}') loop
    select * into v_spent from wallet.idempotency i where i.client_id = v_op.client_id and i.key = v_op.idempotency_key;
    v_known.spent[v_op.leader] := v_spent;
  end loop;
  return v_known;
end $$;

-- The decision that needs no account: the form is wrong, or the key or the transaction_id was used before. p_winner is the
-- operation of this call that posted under the same key, if there is one. Null when the operation has yet to be decided.
create or replace function wallet.recall_decision(p_op wallet.operation, p_winner wallet.operation, p_won wallet.decision,
  p_known wallet.known, p_claimed boolean) returns wallet.decision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_spent constant wallet.idempotency := p_known.spent[p_op.leader];
  -- A later attempt of the caller, sent for the first time: an earlier attempt posted what it finds.
  v_repeats constant boolean := p_op.attempt > 1 and p_op.sending = 1;
  v_entries wallet.wallet_transactions[];
begin
  if p_op.refusal is not null then
    return wallet.build_refusal(p_op.refusal, p_op.facts);
  elsif p_op.transaction_id = any (p_known.superseded) and wallet.is_superseded(p_op) then
    return wallet.refuse_superseded(p_op);
  elsif p_winner.ordinal is not null then
    if p_winner.request_hash <> p_op.request_hash
      and (p_winner.terms is not null or not wallet.is_same_request(p_op, p_won.entries, coalesce((p_won.facts ->> 'is_rest')::boolean, false))) then
      return wallet.build_refusal('idempotency_key_reused');
    end if;
    return row(case when p_winner.transaction_id = p_op.transaction_id and not v_repeats or p_winner.dry_run then 'posted'
      else 'replayed' end, null, null, p_won.exponent, p_won.entries, false, p_won.result)::wallet.decision;
  elsif v_spent.transaction_id is not null then
    v_entries := wallet.find_posting(v_spent.transaction_id);
    if v_spent.kind <> 'posting'
      or v_spent.request_hash <> p_op.request_hash and (v_spent.answer is not null or not wallet.is_same_request(p_op, v_entries)) then
      return wallet.build_refusal('idempotency_key_reused');
    end if;
    return row(case when v_spent.transaction_id = p_op.transaction_id and not v_repeats then 'posted' else 'replayed' end, null, null,
      (select c.exponent from wallet.currencies c where c.code = v_entries[1].currency), v_entries, false, v_spent.answer)::wallet.decision;
  elsif not p_claimed and not p_op.dry_run then
    -- Its key was in use at step 1 and is free at step 3: another call is deciding on it.
    return row('busy', null, null, null, null, false, null)::wallet.decision;
  elsif p_op.transaction_id = any (p_known.posted) then
    return wallet.build_refusal('idempotency_key_reused', jsonb_build_object('transaction_id', p_op.transaction_id));
  end if;
  return null;
end $$;

-- Whether this attempt, or a later one, of an operation with a tombstone was refused.
create or replace function wallet.is_superseded(p_op wallet.operation) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from wallet.tombstones d where d.transaction_id = p_op.transaction_id
    and (d.attempt, d.sending) >= (p_op.attempt, p_op.sending));
end $$;

-- The same for refusals by this call: the refusal, where an earlier unit of it has this attempt, or a later one, which was refused.
create or replace function wallet.refuse_overtaken(p_op wallet.operation, p_operations wallet.operation[],
  p_decisions wallet.decision[], p_winners integer[], p_known wallet.known) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_op.leader < p_op.ordinal and p_operations[p_winners[p_op.leader]].transaction_id is distinct from p_op.transaction_id
      and p_op.transaction_id <> all (p_known.posted) and exists (select from unnest(p_operations) o where o.unit < p_op.unit
        and o.transaction_id = p_op.transaction_id and o.resent and not o.dry_run and p_decisions[o.ordinal].status = 'refused'
        and (o.attempt, o.sending) >= (p_op.attempt, p_op.sending)) then
    return wallet.refuse_superseded(p_op);
  end if;
  return null;
end $$;

-- The decision to refuse an attempt because a later one was refused.
create or replace function wallet.refuse_superseded(p_op wallet.operation) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return wallet.build_refusal('transaction_superseded', jsonb_build_object('transaction_id', p_op.transaction_id));
end $$;

-- Whether an operation with another hash asks for what these rows posted. A member with its default value is the same as a member
-- that is left out: the default counter account, metadata {}, the posting time as effective_at, all that was left as the amount of
-- a refund (p_is_rest: whether the rows are that refund; null where the table has them). So a request that is written from its own
-- response is the same request. Adjustments, operations of several entries, and those with members of rooms have only their hash.
create or replace function wallet.is_same_request(p_op wallet.operation, p_entries wallet.wallet_transactions[],
  p_is_rest boolean default null) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_first constant wallet.wallet_transactions := p_entries[1];
  v_kind constant wallet.operation_type := wallet.find_operation_type(p_op.type);
  v_amount numeric := p_op.amount;
begin
  if p_op.type is distinct from v_first.transaction_type or p_op.form in ('adjustment', 'entries', 'room')
      or p_op.terms is not null then
    return false;
  elsif v_amount is null and p_is_rest then
    v_amount := v_first.amount;
  elsif v_amount is null and p_is_rest is null then
    v_amount := (select t.amount from wallet.wallet_transactions t
        where t.transaction_id = p_op.original_transaction_id and t.leg = 0)
      - (select coalesce(sum(t.amount), 0) from wallet.wallet_transactions t
        where t.original_transaction_id = p_op.original_transaction_id and t.leg = 0 and t.wallet_version < v_first.wallet_version);
  end if;
  return coalesce(v_amount = v_first.amount
    and p_op.original_transaction_id is not distinct from v_first.original_transaction_id
    and (p_op.type = 'refund' or p_op.wallet_id = v_first.wallet_id)
    and (p_op.type = 'refund' or p_op.to_wallet_id is not distinct from p_entries[2].wallet_id)
    and (p_op.type in ('transfer', 'refund') or v_first.counter_account = coalesce(p_op.counter_account,
      case when left(v_first.counter_account, 9) = 'mirrored:' then v_kind.mirrored_account else v_kind.counter_account end))
    and p_op.metadata = v_first.metadata
    and p_op.reference is not distinct from v_first.reference
    and p_op.description is not distinct from v_first.description
    and coalesce(p_op.effective_at, v_first.created_at) = v_first.effective_at, false);
end $$;

-- Finds what an operation needs to be decided, and decides it: its entries and accounts and, for a refund, the rows that it
-- reverses and how much of them was refunded before, by earlier calls and by this one.
create or replace function wallet.resolve_operation(p_op wallet.operation, p_accounts wallet.account[], p_ids uuid[],
  p_decisions wallet.decision[], p_now timestamptz) returns wallet.decision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_entries wallet.operation_entry[] := p_op.entries;
  v_original wallet.wallet_transactions[];
  v_refunded numeric := 0;
  v_entry wallet.operation_entry;
  v_account wallet.account := p_accounts[array_position(p_ids, p_op.wallet_id)];
begin
  -- While the call waited for it, another wallet may have become the one that its owner spends from.
  if v_account.status = 'busy' or p_op.by_owner
      and v_account.wallet_id is distinct from wallet.find_wallet(v_account.user_id, v_account.currency, null, null) then
    return row('busy', null, case v_account.status when 'busy' then jsonb_build_object('wallet_id', v_account.wallet_id) end,
      null, null, false, null)::wallet.decision;
  elsif p_op.form = 'movement' then
    return wallet.decide_movement(p_op, v_account, p_now);
  elsif p_op.form = 'refund' then
    v_original := coalesce(wallet.find_posting(p_op.original_transaction_id), (select d.entries from unnest(p_decisions) d
      where d.fresh and d.entries[1].transaction_id = p_op.original_transaction_id limit 1));
    select coalesce(sum(r.amount), 0) into v_refunded from (
      select t.amount from wallet.wallet_transactions t
        where t.original_transaction_id = p_op.original_transaction_id and t.leg = 0
      union all select d.entries[1].amount from unnest(p_decisions) d
        where d.fresh and d.entries[1].original_transaction_id = p_op.original_transaction_id) r;
    v_entries := wallet.reverse_entries(v_original, coalesce(p_op.amount, trim_scale(v_original[1].amount - v_refunded)));
  elsif p_op.form = 'transfer' then
    v_entries := array[row(p_op.wallet_id, -p_op.amount, 'wallet:' || p_op.to_wallet_id)::wallet.operation_entry,
      row(p_op.to_wallet_id, p_op.amount, 'wallet:' || p_op.wallet_id)::wallet.operation_entry];
  end if;
  foreach v_entry in array v_entries loop
    v_account := p_accounts[array_position(p_ids, v_entry.wallet_id)];
    -- The original of a refund may have been posted after the wallets were locked: then its wallets are not among them.
    if v_account.status = 'busy' or v_original is not null and v_account.wallet_id is null then
      return row('busy', null, jsonb_build_object('wallet_id', case v_account.status when 'busy' then v_account.wallet_id end),
        null, null, false, null)::wallet.decision;
    end if;
  end loop;
  return wallet.decide_operation(p_op, v_entries, p_accounts, p_ids, v_original, v_refunded, p_now);
end $$;

-- A movement, which most operations are: as decide_operation does, for the one entry on a user's operating wallet.
create or replace function wallet.decide_movement(p_op wallet.operation, p_account wallet.account, p_now timestamptz)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_kind constant wallet.operation_type := wallet.find_operation_type(p_op.type);
  v_amount constant numeric := case v_kind.direction when 'credit' then p_op.amount else -p_op.amount end;
  v_refusal wallet.decision;
begin
  if (p_account.keeping = 'operating' and scale(v_amount) <= p_account.exponent
      and (p_op.acting_user_id is null or p_op.acting_user_id = p_account.user_id and v_kind.users_operating)
      and (p_op.counter_account is null or left(p_op.counter_account, 9) <> 'mirrored:')) is not true then
    -- Refused, or a mirrored wallet.
    return wallet.decide_operation(p_op, array[row(p_op.wallet_id, v_amount, p_op.counter_account)::wallet.operation_entry],
      array[p_account], array[p_op.wallet_id], null, 0, p_now);
  end if;
  v_refusal := wallet.check_movement(p_account, v_amount);
  if v_refusal.status is not null then
    return v_refusal;
  end if;
  return row('posted', null, null, p_account.exponent, array[wallet.build_entry(p_op, p_account, 0, v_amount,
    coalesce(p_op.counter_account, v_kind.counter_account), greatest(p_now, p_account.last_posted_at))], true, null)::wallet.decision;
end $$;

-- The entries that reverse a posting. One or two entries of one amount are reversed by p_amount, more of them whole.
create or replace function wallet.reverse_entries(p_original wallet.wallet_transactions[], p_amount numeric)
returns wallet.operation_entry[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_row wallet.wallet_transactions;
  v_whole constant boolean := wallet.is_reversed_whole(p_original);
  v_amount numeric;
  v_entries wallet.operation_entry[] := '{}';
begin
  foreach v_row in array coalesce(p_original, '{}') loop
    v_amount := case when v_whole then trim_scale(v_row.amount) else p_amount end;
    v_entries := v_entries || row(v_row.wallet_id, case v_row.direction when 'debit' then v_amount else -v_amount end,
      v_row.counter_account)::wallet.operation_entry;
  end loop;
  return v_entries;
end $$;

-- Whether a refund reverses all of a posting or nothing: it has more entries than the two of a transfer.
create or replace function wallet.is_reversed_whole(p_entries wallet.wallet_transactions[]) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return cardinality(p_entries) > 1 and (cardinality(p_entries) > 2
    or p_entries[1].counter_account <> 'wallet:' || p_entries[2].wallet_id);
end $$;

-- One operation: whether it may post, and the ledger rows of its posting. Changes nothing. p_original has the rows that a refund
-- reverses, p_refunded how much of the first one was refunded before.
create or replace function wallet.decide_operation(p_op wallet.operation, p_entries wallet.operation_entry[],
  p_accounts wallet.account[], p_ids uuid[], p_original wallet.wallet_transactions[], p_refunded numeric, p_now timestamptz)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_kind constant wallet.operation_type := wallet.find_operation_type(p_op.type);
  v_accounts wallet.account[];
  v_account wallet.account;
  v_refusal wallet.decision;
  v_at timestamptz := p_now;
  v_entry wallet.operation_entry;
  v_rows wallet.wallet_transactions[];
begin
  if p_op.form = 'refund' then
    v_refusal := wallet.refuse_refund(p_op, p_original, p_refunded, p_accounts, p_ids);
    if v_refusal.status is not null then
      return v_refusal;
    end if;
  end if;
  for i in 1 .. cardinality(p_entries) loop
    v_account := p_accounts[array_position(p_ids, p_entries[i].wallet_id)];
    v_accounts[i] := v_account;
    v_at := greatest(v_at, v_account.last_posted_at);
  end loop;
  v_refusal := wallet.refuse_accounts(p_op, v_kind, p_entries, v_accounts);
  if v_refusal.status is not null then
    return v_refusal;
  end if;
  for i in 1 .. cardinality(p_entries) loop
    v_account := v_accounts[i];
    v_entry := p_entries[i];
    for k in 1 .. i - 1 loop    -- an earlier entry on the same wallet
      if v_rows[k].wallet_id = v_entry.wallet_id then
        v_account.balance := v_rows[k].balance_after;
        v_account.last_entry := v_rows[k].wallet_version;
      end if;
    end loop;
    if v_entry.amount is null then
      v_entry.amount := p_op.balance - v_account.balance;
      if v_entry.amount = 0 then
        return wallet.build_refusal('balance_unchanged', jsonb_build_object('wallet_id', v_account.wallet_id));
      elsif abs(v_entry.amount) >= 1e20 then
        return wallet.build_refusal('balance_limit', jsonb_build_object('wallet_id', v_account.wallet_id)
          || wallet.build_fault('/balance', 'an amount has at most 20 digits before the point: adjust in two steps'));
      end if;
    end if;
    v_refusal := wallet.check_movement(case when p_op.form = 'refund' and cardinality(p_entries) > 1
      then wallet.add_later_entries(v_account, p_entries, i) else v_account end, v_entry.amount);
    if v_refusal.status is not null then
      return v_refusal;
    end if;
    v_rows[i] := wallet.build_entry(p_op, v_account, i - 1, v_entry.amount, coalesce(v_entry.counter_account,
      case v_account.keeping when 'mirrored' then v_kind.mirrored_account else v_kind.counter_account end), v_at);
  end loop;
  return row('posted', null, case p_op.form when 'refund'
    then jsonb_build_object('is_rest', p_refunded + v_rows[1].amount = p_original[1].amount) end, v_accounts[1].exponent, v_rows,
    true, null)::wallet.decision;
end $$;

-- The account with what the entries after p_place will do to it: the caller of a refund can't choose their order, so what comes back
-- of a fee counts for the payment that is given back before it.
create or replace function wallet.add_later_entries(p_account wallet.account, p_entries wallet.operation_entry[], p_place integer)
returns wallet.account
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  for i in p_place + 1 .. cardinality(p_entries) loop
    if p_entries[i].wallet_id = p_account.wallet_id then
      p_account.balance := p_account.balance + p_entries[i].amount;
    end if;
  end loop;
  return p_account;
end $$;

-- Why a refund can't be posted, as far as its original decides that; null if it can.
create or replace function wallet.refuse_refund(p_op wallet.operation, p_original wallet.wallet_transactions[],
  p_refunded numeric, p_accounts wallet.account[], p_ids uuid[]) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_first constant wallet.wallet_transactions := p_original[1];
  v_amount constant numeric := coalesce(p_op.amount, v_first.amount - p_refunded);
begin
  if v_first.transaction_id is null or v_first.user_id <> p_op.acting_user_id then
    return wallet.build_refusal('transaction_not_found', jsonb_build_object('transaction_id', p_op.original_transaction_id));
  elsif (wallet.find_operation_type(v_first.transaction_type)).refundable is not true then    -- null: no room declares it
    return wallet.build_refusal('not_refundable', jsonb_build_object('transaction_id', p_op.original_transaction_id));
  elsif v_amount <= 0 or p_refunded + v_amount > v_first.amount
      or wallet.is_reversed_whole(p_original) and v_amount <> v_first.amount then
    return wallet.build_refusal('refund_exceeds', jsonb_build_object('transaction_id', p_op.original_transaction_id,
      'refundable', wallet.format_amount(v_first.amount - p_refunded,
        p_accounts[array_position(p_ids, v_first.wallet_id)].exponent)));
  end if;
  return null;
end $$;

-- Why an operation can't be posted on these accounts, one for each of its entries, whatever their balances; null if it can.
create or replace function wallet.refuse_accounts(p_op wallet.operation, p_kind wallet.operation_type,
  p_entries wallet.operation_entry[], p_accounts wallet.account[]) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account;
  v_mirrored boolean;
begin
  for i in 1 .. cardinality(p_entries) loop
    v_account := p_accounts[i];
    v_mirrored := coalesce(v_account.keeping = 'mirrored', false);
    if p_op.acting_user_id is not null and not (case when v_mirrored and v_account.user_id = p_op.acting_user_id
        then p_kind.users_mirrored or not p_kind.mirrored else p_kind.users_operating end) then
      return wallet.build_refusal('forbidden');
    -- A user may credit the wallet of another user, but not write into another user's records.
    elsif v_account.wallet_id is null
        or v_account.user_id <> p_op.acting_user_id and (i = 1 or p_op.form <> 'transfer' or v_mirrored) then
      return wallet.build_refusal('wallet_not_found', jsonb_build_object('wallet_id', p_entries[i].wallet_id));
    elsif i = 1 and p_op.to_wallet_id = p_op.wallet_id then
      return wallet.build_refusal('same_wallet', jsonb_build_object('wallet_id', p_op.wallet_id));
    elsif p_op.form = 'transfer' and v_account.currency <> p_accounts[1].currency then
      return wallet.build_refusal('currency_mismatch', jsonb_build_object('currency', p_accounts[1].currency)
        || case when p_op.acting_user_id is null then jsonb_build_object('to_currency', v_account.currency) else '{}' end);
    elsif v_mirrored and not p_kind.mirrored or v_account.keeping <> p_accounts[1].keeping then
      return wallet.build_refusal('wallet_mirrored', jsonb_build_object('wallet_id',
        case when v_mirrored then v_account.wallet_id else p_accounts[1].wallet_id end));
    elsif left(p_entries[i].counter_account, 7) <> 'wallet:'
        and (left(p_entries[i].counter_account, 9) = 'mirrored:') <> v_mirrored then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/counter_account', case when v_mirrored
        then 'the other side of a mirrored wallet begins with mirrored:' else 'only that of a mirrored wallet begins with mirrored:' end));
    end if;
  end loop;
  for i in 1 .. cardinality(p_entries) loop
    if scale(coalesce(p_entries[i].amount, p_op.balance)) > p_accounts[i].exponent then
      return wallet.build_refusal('amount_precision', jsonb_build_object('currency', p_accounts[i].currency,
        'exponent', p_accounts[i].exponent));
    end if;
  end loop;
  return case when p_op.form = 'entries' then wallet.refuse_pairs(p_kind, p_entries, p_accounts) end;
end $$;

-- Why the entries of an operation don't belong together; null if they do. Entries between two wallets name each other, are of
-- one currency, and add up to nothing; every other entry has an account on its other side, so each currency adds up to nothing.
create or replace function wallet.refuse_pairs(p_kind wallet.operation_type, p_entries wallet.operation_entry[],
  p_accounts wallet.account[]) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_wallet text;
  v_counter text;
  v_sum numeric;
  v_agree boolean;
begin
  for i in 1 .. cardinality(p_entries) loop
    v_wallet := 'wallet:' || p_entries[i].wallet_id;
    v_counter := p_entries[i].counter_account;
    if v_counter is null and (case p_accounts[i].keeping when 'mirrored' then p_kind.mirrored_account
        else p_kind.counter_account end) is null then
      return wallet.build_refusal('validation_failed', wallet.build_fault('/entries/' || i - 1 || '/counter_account',
        'must be given: this type has no default'));
    elsif v_counter = v_wallet then
      return wallet.build_refusal('same_wallet', jsonb_build_object('wallet_id', p_entries[i].wallet_id));
    elsif left(v_counter, 7) = 'wallet:' then
      select sum(e.amount), bool_and(p_accounts[e.place].currency = p_accounts[i].currency) into v_sum, v_agree
        from unnest(p_entries) with ordinality as e (wallet_id, amount, counter_account, place)
        where e.counter_account = v_counter and 'wallet:' || e.wallet_id = v_wallet
          or e.counter_account = v_wallet and 'wallet:' || e.wallet_id = v_counter;
      if v_sum <> 0 or not v_agree then
        return wallet.build_refusal('entries_unbalanced', jsonb_build_object('wallet_id', p_entries[i].wallet_id,
          'counter_account', v_counter));
      end if;
    end if;
  end loop;
  return null;
end $$;

-- Null when the account can take the signed movement, otherwise the refusal.
create or replace function wallet.check_movement(p_account wallet.account, p_amount numeric) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_available numeric := p_account.balance - p_account.locked_balance + p_account.credit_limit;
begin
  if p_account.status = 'closed' then
    return wallet.build_refusal('wallet_closed', jsonb_build_object('wallet_id', p_account.wallet_id));
  elsif p_amount > 0 then
    if p_account.balance + p_amount >= 1e20 then
      return wallet.build_refusal('balance_limit', jsonb_build_object('wallet_id', p_account.wallet_id));
    end if;
  elsif p_account.status = 'frozen' then
    return wallet.build_refusal('wallet_frozen', jsonb_build_object('wallet_id', p_account.wallet_id));
  elsif p_account.keeping = 'mirrored' then
    -- A record: what happened elsewhere has happened, whatever the balance.
    if p_account.balance + p_amount <= -1e20 then
      return wallet.build_refusal('balance_limit', jsonb_build_object('wallet_id', p_account.wallet_id));
    end if;
  elsif v_available + p_amount < 0 then
    return wallet.build_refusal('insufficient_funds', jsonb_build_object('wallet_id', p_account.wallet_id,
      'shortfall', wallet.format_amount(-p_amount - v_available, p_account.exponent), 'currency', p_account.currency));
  end if;
  return null;
end $$;

-- The ledger row of an operation on one wallet; its values are in the order of the table's columns. p_amount is signed: a
-- positive amount credits the wallet.
create or replace function wallet.build_entry(p_op wallet.operation, p_account wallet.account, p_leg integer, p_amount numeric,
  p_counter_account text, p_at timestamptz) returns wallet.wallet_transactions
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return row(p_account.wallet_id, p_account.last_entry + 1, p_op.transaction_id, p_leg,
    p_at, coalesce(p_op.effective_at, p_at),
    p_op.type, case when p_amount > 0 then 'credit' else 'debit' end, p_account.currency,
    abs(p_amount), p_account.balance, p_account.balance + p_amount,
    p_counter_account, p_op.original_transaction_id, p_account.user_id, p_op.client_id,
    p_op.reference, p_op.description, p_op.metadata)::wallet.wallet_transactions;
end $$;

-- The decision to refuse an operation.
create or replace function wallet.build_refusal(p_code text, p_facts jsonb default '{}') returns wallet.decision
language sql immutable as $$
  select row('refused', p_code, p_facts, null, null, false, null)::wallet.decision
$$;

-- The decision on an operation whose unit reverts its changes. p_failed is the decision because of which the unit failed
-- (p_is_failed: it is this one); without it the unit was a dry run.
create or replace function wallet.revert_decision(p_decision wallet.decision, p_is_failed boolean, p_failed wallet.decision,
  p_failed_op wallet.operation) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_failed.status = 'busy' then
    return row('busy', null, p_failed.facts, null, null, false, null)::wallet.decision;
  elsif p_failed.status is not null then
    return case when p_is_failed then p_decision
      else wallet.build_refusal('batch_aborted', jsonb_build_object('index', p_failed_op.position)) end;
  elsif p_decision.status in ('posted', 'replayed') then
    p_decision.status := 'dry_run';
    p_decision.fresh := false;
  end if;
  return p_decision;
end $$;
