-- What is wrong with the form of an operation, as the facts of validation_failed; null when nothing is. p_form is
-- p_operation, an object, as a row.
create or replace function wallet.find_operation_fault(p_operation jsonb, p_form wallet.operation_form) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_texts constant text[] := '{transaction_id,type,wallet_id,to_wallet_id,original_transaction_id,client_id,idempotency_key,'
    'acting_user_id,counter_account,reference,description,effective_at}';
  c_others constant text[] := '{amount,metadata}';
  f constant wallet.operation_form := p_form;
  v_fault text[];
begin
  if p_operation - c_texts - c_others <> '{}'
      or jsonb_path_exists(p_operation - c_others, 'strict $.* ? (@.type() != "string" && @.type() != "null")') then
    select array['/' || left(m.key, 100),
        case when m.key = any (c_texts) then 'must be a string' else 'is no member of an operation' end]
      into v_fault from jsonb_each(p_operation - c_others) m
      where m.key <> all (c_texts) or jsonb_typeof(m.value) not in ('string', 'null') limit 1;
    return wallet.build_fault(v_fault[1], v_fault[2]);
  end if;
  -- The first that is wrong. A chain of conditions is faster here than a list of rows, and a length than a bound in a
  -- regular expression, many times over.
  v_fault := case
    when wallet.is_uuid(f.transaction_id) is not true then array['/transaction_id', 'must be a UUID']
    when coalesce(f.type, '') not in ('deposit', 'withdraw', 'consume', 'transfer', 'reward', 'fee', 'refund')
      then array['/type', 'must be deposit, withdraw, consume, transfer, reward, fee or refund']
    when case f.type when 'refund' then f.wallet_id is not null else wallet.is_uuid(f.wallet_id) is not true end
      then array['/wallet_id', 'must be a UUID, and no refund has it']
    when case f.type when 'transfer' then wallet.is_uuid(f.to_wallet_id) is not true else f.to_wallet_id is not null end
      then array['/to_wallet_id', 'must be a UUID, and only a transfer has it']
    when case f.type when 'refund' then wallet.is_uuid(f.original_transaction_id) is not true
        else f.original_transaction_id is not null end
      then array['/original_transaction_id', 'must be a UUID, and only a refund has it']
    when length(f.client_id) not between 1 and 600 then array['/client_id', 'must be 1 to 600 characters']
    when length(f.idempotency_key) not between 1 and 255 or f.idempotency_key collate "C" ~ '[^ -~]'
      then array['/idempotency_key', 'must be 1 to 255 printable ASCII characters']
    when length(f.acting_user_id) not between 1 and 255 then array['/acting_user_id', 'must be 1 to 255 characters']
    when f.counter_account is not null and (f.type in ('transfer', 'refund') or f.counter_account collate "C"
        !~ '^(promotions|(revenue|external|promotions|expense):[A-Za-z0-9._:-]+)$'
        or length(f.counter_account) - position(':' in f.counter_account) > 100)
      then array['/counter_account', 'must be promotions, or one of revenue: external: promotions: expense: followed by'
        ' 1 to 100 of A-Z a-z 0-9 . _ : -; a transfer or a refund has none']
    when length(f.reference) not between 1 and 255 or f.reference ~ '[\u0001-\u001f\u007f-\u009f]'
      then array['/reference', 'must be 1 to 255 characters without control characters']
    when length(f.description) > 1000 or f.description ~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]'
      then array['/description', 'must be at most 1000 characters without control characters but tab and line ends']
    when jsonb_typeof(f.metadata) not in ('object', 'null') or octet_length(f.metadata::text) > 16384
      then array['/metadata', 'must be an object of at most 16 KiB']
    when f.effective_at is not null and wallet.read_time(f.effective_at) is null
      then array['/effective_at', 'must be an RFC 3339 timestamp with its offset from UTC']
  end;
  return case when v_fault is not null then wallet.build_fault(v_fault[1], v_fault[2]) end;
end $$;
