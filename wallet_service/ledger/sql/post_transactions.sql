-- The one way to move money. p_units is an array of units {operations, atomic, dry_run, resent}; the answer has an array
-- of outcomes for each, in order. A unit that is not atomic lets each operation stand alone. An outcome is
-- {status: posted | replayed | dry_run, transaction}, {status: refused, code, facts}, or {status: busy, wallet_id}:
-- somebody else holds the wallet (null: the key) and it was not waited for. Call it once in a transaction.
-- p_wait_ms: how long to wait for each lock; then the call fails as a whole. 0: held wallets are not waited for, and keys
-- for 20 ms only. p_wait_for: the same, but wait for this wallet first, while no other is held; in vain, it is busy.
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
  perform wallet.write_postings(v_operations, v_claimed, v_decided.accounts, v_decided.decisions);
  return wallet.format_outcomes(v_operations, v_decided.decisions);
end $$;
