-- THE KERNEL: how money moves. Read this page first, then the files in this order:
--
--   post_transactions.sql     the function that is called
--   read_operations.sql       the call as rows; faults in the form of an operation
--   claim_keys.sql            step 1
--   lock_accounts.sql         step 2
--   decide_operations.sql     steps 3 and 4
--   apply_posting_rules.sql   what other rooms add to step 4: refusals
--   open_room_state.sql       and how rooms take part that keep something about a wallet: holds, grants, limits
--   keep_posting_members.sql  and what they add to requests: members such as the parts of an amount
--   write_postings.sql        step 5
--   format_outcomes.sql       the result
--   verify_*.sql              checks of these tables, page by page; the other files are helpers that other rooms use too
--
-- TABLES (migrations/0001_ledger_tables.sql)
--   wallets               a wallet and its balance now. last_entry counts its ledger rows, version the changes of the wallet itself
--   wallet_transactions   the ledger. A posting is one row, or two that balance. Rows are never changed or deleted
--   idempotency           a key that was used: for which request (a hash), and the transaction that it posted
--   tombstones            an operation that was refused, and in which attempt: an earlier one must not post when it arrives late
--   checkpoints           totals of a wallet at every 1,000th of its rows; statistics start from them
--   currencies            a currency and its number of decimals
--
-- STEPS. A call has units, a unit has operations. Each step is one or more statements, and each statement has a snapshot of its
-- own (READ COMMITTED), so a step sees what other calls committed while the step before waited.
--   1 claim_keys          inserts the idempotency keys. From then on no other call posts under them
--   2 lock_accounts       locks the wallets and reads them. A wallet that another session has locked is skipped: its operations
--                         are 'busy', nothing of them is done, and the caller sends them again
--   3 read_known          reads what earlier calls left: keys that were used, ids that are posted or superseded
--   4 decide_operations   settles what is due on marked wallets; decides each operation in memory, in order; posting rules may refuse
--                         what would be posted
--   5 write_postings      inserts all rows, updates each wallet once, releases the keys of operations that did not post
--     settle_tombstones   only where a unit was sent before: writes and removes tombstones
-- A refused operation changes nothing and does not spend its key. A unit that is atomic or a dry run is reverted in memory, in
-- step 4; nothing is written that has to be taken back.
--
-- ATTEMPTS. The same operation (one transaction_id) can be sent several times: in several attempts of the caller, and several times
-- by the service within one. (attempt, sending) orders them. When one is refused that had predecessors ("resent"), a tombstone
-- keeps every earlier one from posting, wherever it is on its way. A later one is decided again.
--
-- LOCK ORDER: keys before wallets; keys by (client_id, key), wallets by wallet_id. So two calls never wait for each other.
-- Functions that change a wallet itself lock in the same direction: the key, lock_user_currency, then wallets by wallet_id.
-- A posting rule locks nothing.
--
-- WHO MAY CALL. The role wallet_service, and Supabase's service_role, may execute the functions of wallet_api. A function of this
-- database that was granted EXECUTE may call post_transactions in its own transaction: once, at READ COMMITTED, before it locks
-- anything that another such function locks after its call. Functions of schema wallet are called by functions only.
--
-- REFUSALS. The refusal of an operation is data: {status: refused, code, facts}. A call that is refused as a whole raises WL001
-- (refuse_call). Nothing here raises 40001, which some callers repeat without end.

-- The one way to move money. p_units is an array of units {operations, atomic, dry_run, resent, attempt, sending}. resent: the
-- operations may have been sent before. attempt, sending, only where resent: their place in the order of attempts; by default 1 and
-- 2. The result has an array of outcomes for each unit, in order. The operations of a unit that is not atomic are independent
-- of each other. An outcome is
-- {status: posted | replayed | dry_run, transaction}, with a result before the transaction where a room decided, {status: refused, code, facts} or {status: busy, wallet_id}: another
-- session has locked the wallet (null: is deciding on the key), and the call did not wait for it. Call it once in a transaction.
-- p_wait_ms: how long to wait for each lock; after that the whole call fails. 0: do not wait for locked wallets, and for keys
-- only 20 ms. p_wait_for: wait for this wallet first, while no other is locked; after p_wait_ms it is busy.
create or replace function wallet_api.post_transactions(p_units jsonb, p_wait_ms integer default 2000,
  p_wait_for uuid default null) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '20ms' set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_operations wallet.operation[];
  v_claimed boolean[];
  v_accounts wallet.account[];
  v_decided wallet.decided;
begin
  perform wallet.require_read_committed();
  perform wallet.check_units(p_units);
  if p_wait_ms > 0 and p_wait_for is null then
    perform set_config('lock_timeout', p_wait_ms || 'ms', true);
  end if;
  if jsonb_array_length(p_units) = 0 then
    return '[]';
  end if;
  v_operations := wallet.read_operations(p_units);
  v_claimed := wallet.claim_keys(v_operations);
  v_accounts := wallet.lock_accounts(v_operations, v_claimed, p_wait_ms, p_wait_for);
  v_decided := wallet.decide_operations(v_operations, v_claimed, v_accounts);
  perform wallet.write_postings(v_operations, v_claimed, v_decided);
  if jsonb_path_exists(p_units, 'lax $[*].operations[*].terms') then
    perform wallet.keep_posting_members(v_operations, v_decided.decisions);
  end if;
  if jsonb_path_exists(p_units, 'lax $[*] ? (@.resent == true)') then
    perform wallet.settle_tombstones(v_operations, v_decided.decisions);
  end if;
  return wallet.format_outcomes(v_operations, v_decided.decisions);
end $$;

-- Refuses a call whose units can't be read. A fault inside an operation refuses only that operation.
create or replace function wallet.check_units(p_units jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_unit jsonb;
begin
  if jsonb_typeof(p_units) is distinct from 'array' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('', 'must be an array of units'));
  end if;
  for i in 0 .. jsonb_array_length(p_units) - 1 loop
    v_unit := p_units -> i;
    if (case when jsonb_typeof(v_unit) <> 'object' then true
        when jsonb_typeof(v_unit -> 'operations') is distinct from 'array' then true
        when v_unit -> 'operations' = '[]' then true
        when v_unit - 'operations' = '{"atomic": false, "dry_run": false, "resent": false}' then false -- as in most units
        when v_unit - '{operations,atomic,dry_run,resent,attempt,sending}'::text[] <> '{}' then true
        when v_unit ?| '{attempt,sending}' and v_unit -> 'resent' is distinct from 'true' then true
        when (v_unit -> 'attempt')::text !~ '^[1-9][0-9]{0,5}$' or (v_unit -> 'sending')::text !~ '^[1-9][0-9]{0,5}$' then true
        else jsonb_path_exists(v_unit - '{operations,attempt,sending}'::text[], 'strict $.* ? (@.type() != "boolean")') end) then
      perform wallet.refuse_call('validation_failed', wallet.build_fault('/' || i,
        'a unit is an object with operations, an array that is not empty, the booleans atomic, dry_run and resent, and where resent'
        ' the numbers attempt and sending, from 1 to 999999'));
    end if;
  end loop;
end $$;
