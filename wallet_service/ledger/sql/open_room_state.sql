-- How rooms above the ledger take part in postings. A room that keeps something that postings depend on (holds, grants, limits) sets
-- its bit in wallets.marks, under the wallet's lock. For wallets without marks nothing below is called. The room declares functions
-- (Room.posting_part, core/room.py); migrate replaces the functions of this file by ones that call them.
--   settle   (p_settlement wallet.settlement, p_now) returns wallet.settlement. Called where due_at has come for an account, which then
--            is_due; the highest room first. Writes its own tables; adds entries that are to be posted and changes their accounts with them
--            (wallet.settle_entry); brings account.due_at down to its own next moment. It happens whatever becomes of the operations.
--            A wallet that is closed is due at once: the room ends what it keeps about it (status is closed; nothing can be posted).
--   open     (p_settlement, p_now) returns wallet.settlement. Reads what the operations will need into the state, in bounds.
--   follow   (p_operation wallet.operation, p_step wallet.step, p_now) returns wallet.step. Called for each operation
--            that would post. step.decision has its entries, step.accounts are the accounts of its wallets before them. It may refuse, and
--            changes the state and the accounts; no table: the unit may be reverted, state and accounts with it.
--   write    (p_decided wallet.decided, p_operations wallet.operation[]) returns void. Called once, after the decisions: writes what
--            the state has. The entries of decisions that are "fresh" are posted.
-- An operation whose type has the form "room" is decided by the function that the type names (OperationType.decide), with the
-- parameters of follow. Its decision has a result, and entries or none; with entries, the accounts are as they were before them.
-- A type about two wallets (OperationType.to_wallet) finds both as step.accounts, and becomes an operation of several entries of a type of
-- that form: wallet.decide_operation checks it, and the rooms follow it as one of that type.
-- A replay has the result of the first time. A room's functions lock nothing but rows of its own that belong to locked wallets.
create or replace function wallet.open_room_state(p_settlement wallet.settlement, p_is_due boolean, p_now timestamptz)
returns wallet.settlement
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select p_settlement
$$;

-- Lets the rooms follow an operation that would post; the first that refuses ends it.
create or replace function wallet.follow_posting(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select p_step
$$;

-- Only for types of the form "room".
create or replace function wallet.decide_by_room(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select null::wallet.step
$$;

-- Lets the rooms write what they noted.
create or replace function wallet.write_room_state(p_decided wallet.decided, p_operations wallet.operation[]) returns void
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select null::void
$$;

-- Adds an entry to a settlement: a posting of its own, of a type that the service posts by itself. p_amount is signed. p_at: when it
-- took effect.
create or replace function wallet.settle_entry(p_settlement wallet.settlement, p_index integer, p_type text, p_amount numeric,
  p_counter_account text, p_at timestamptz, p_now timestamptz, p_metadata jsonb default '{}') returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account := p_settlement.accounts[p_index];
  v_op wallet.operation;
  v_entry wallet.wallet_transactions;
begin
  v_op.transaction_id := wallet.new_id();
  v_op.type := p_type;
  v_op.client_id := 'wallet-service';
  v_op.metadata := p_metadata;
  v_op.effective_at := p_at;
  v_entry := wallet.build_entry(v_op, v_account, 0, p_amount, p_counter_account, greatest(p_now, v_account.last_posted_at));
  v_account.balance := v_entry.balance_after;
  v_account.last_entry := v_entry.wallet_version;
  v_account.last_posted_at := v_entry.created_at;
  v_account.changed := true;
  p_settlement.accounts[p_index] := v_account;
  p_settlement.entries := p_settlement.entries || v_entry;
  return p_settlement;
end $$;
