-- One operation as its caller wrote it. What is wrong with the operation itself becomes its refusal.
create or replace function wallet.read_operation(p_operation jsonb) returns wallet.operation
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_op wallet.operation;
  v_amount text;
begin
  v_op.facts := wallet.operation_fault(p_operation);
  if v_op.facts is not null then
    v_op.refusal := 'validation_failed';
    return v_op;
  end if;
  select f.transaction_id, f.type, f.wallet_id, f.to_wallet_id, f.original_transaction_id, f.amount,
      coalesce(f.client_id, 'sql:' || session_user), coalesce(f.idempotency_key, f.transaction_id::text),
      f.acting_user_id, f.counter_account, f.reference, f.description,
      case when jsonb_typeof(f.metadata) = 'object' then f.metadata else '{}' end, wallet.read_time(f.effective_at)
    into v_op.transaction_id, v_op.transaction_type, v_op.wallet_id, v_op.to_wallet_id, v_op.original_transaction_id,
      v_amount, v_op.client_id, v_op.key, v_op.acting_user_id, v_op.counter_account, v_op.reference,
      v_op.description, v_op.metadata, v_op.effective_at
    from jsonb_to_record(p_operation) as f (transaction_id uuid, type text, wallet_id uuid, to_wallet_id uuid,
      original_transaction_id uuid, amount text, client_id text, idempotency_key text, acting_user_id text,
      counter_account text, reference text, description text, metadata jsonb, effective_at text);
  if v_op.acting_user_id is not null and v_op.transaction_type in ('deposit', 'reward', 'refund') then
    v_op.refusal := 'forbidden';
    v_op.facts := '{}';
    return v_op;
  end if;
  v_op.amount := wallet.read_amount(v_amount);
  if v_op.amount is null and (v_amount is not null or v_op.transaction_type <> 'refund') then
    v_op.refusal := 'amount_invalid';
    v_op.facts := '{}';
    return v_op;
  end if;
  -- What the caller named, without what differs between two attempts. \x01 is the version of this rule.
  v_op.request_hash := sha256('\x01'::bytea || convert_to((p_operation
    - '{transaction_id,client_id,idempotency_key,acting_user_id,amount}'::text[]
    || jsonb_build_object('amount', v_op.amount::text))::text, 'UTF8'));
  return v_op;
end $$;
