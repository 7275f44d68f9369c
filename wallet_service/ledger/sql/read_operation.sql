-- One operation as its caller wrote it, on top of what the call knows of it. What is wrong with the operation itself
-- becomes its refusal.
create or replace function wallet.read_operation(p_operation jsonb, p_known wallet.operation) returns wallet.operation
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  f wallet.operation_form;
  v_op wallet.operation := p_known;
begin
  if jsonb_typeof(p_operation) <> 'object' then
    v_op.facts := wallet.build_fault('', 'an operation is an object');
  else
    f := jsonb_populate_record(null::wallet.operation_form, p_operation);
    v_op.facts := wallet.find_operation_fault(p_operation, f);
  end if;
  if v_op.facts is not null then
    v_op.refusal := 'validation_failed';
    return v_op;
  end if;
  v_op := jsonb_populate_record(v_op, p_operation - '{amount,effective_at}'::text[]);
  v_op.amount := wallet.read_amount(f.amount);
  v_op.effective_at := wallet.read_time(f.effective_at);
  v_op.client_id := coalesce(f.client_id, 'sql:' || session_user);
  v_op.idempotency_key := coalesce(f.idempotency_key, v_op.transaction_id::text);
  v_op.metadata := case when jsonb_typeof(f.metadata) = 'object' then f.metadata else '{}' end;
  if f.acting_user_id is not null and f.type in ('deposit', 'reward', 'refund') then
    v_op.refusal := 'forbidden';
    v_op.facts := '{}';
  elsif v_op.amount is null and (f.amount is not null or f.type <> 'refund') then
    v_op.refusal := 'amount_invalid';
    v_op.facts := '{}';
  else
    -- What the caller named, without what differs between two attempts. \x01 is the version of this rule.
    v_op.request_hash := sha256('\x01'::bytea || convert_to((p_operation
      - '{transaction_id,client_id,idempotency_key,acting_user_id,amount}'::text[]
      || jsonb_build_object('amount', v_op.amount::text))::text, 'UTF8'));
  end if;
  return v_op;
end $$;
