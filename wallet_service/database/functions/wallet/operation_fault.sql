-- What is wrong with the form of an operation, as the facts of validation_failed; null when nothing is.
create or replace function wallet.operation_fault(p_operation jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_member record;
  f record;
  v_fault text[];
begin
  if jsonb_typeof(p_operation) is distinct from 'object' then
    return wallet.fault('', 'an operation is an object');
  end if;
  select m.key, m.key = any (c.texts) as is_text into v_member
    from (select array['transaction_id', 'type', 'wallet_id', 'to_wallet_id', 'original_transaction_id', 'client_id',
      'idempotency_key', 'acting_user_id', 'counter_account', 'reference', 'description', 'effective_at'] as texts) c,
      jsonb_each(p_operation) m
    where case when m.key = any (c.texts) then jsonb_typeof(m.value) not in ('string', 'null')
      else m.key not in ('amount', 'metadata') end
    limit 1;
  if found then
    return wallet.fault('/' || left(v_member.key, 100),
      case when v_member.is_text then 'must be a string' else 'is no member of an operation' end);
  end if;
  select * into f from jsonb_to_record(p_operation) as f (transaction_id text, type text, wallet_id text,
    to_wallet_id text, original_transaction_id text, client_id text, idempotency_key text, acting_user_id text,
    counter_account text, reference text, description text, metadata jsonb, effective_at text);
  -- The first that is wrong. A chain of conditions is faster here than a list of rows, and a length than a bound in a
  -- regular expression, many times over.
  v_fault := case
    when coalesce(f.transaction_id, '') !~ c_uuid then array['/transaction_id', 'must be a UUID']
    when coalesce(f.type, '') not in ('deposit', 'withdraw', 'consume', 'transfer', 'reward', 'fee', 'refund')
      then array['/type', 'must be deposit, withdraw, consume, transfer, reward, fee or refund']
    when case f.type when 'refund' then f.wallet_id is not null else coalesce(f.wallet_id, '') !~ c_uuid end
      then array['/wallet_id', 'must be a UUID, and no refund has it']
    when case f.type when 'transfer' then coalesce(f.to_wallet_id, '') !~ c_uuid else f.to_wallet_id is not null end
      then array['/to_wallet_id', 'must be a UUID, and only a transfer has it']
    when case f.type when 'refund' then coalesce(f.original_transaction_id, '') !~ c_uuid
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
  return case when v_fault is not null then wallet.fault(v_fault[1], v_fault[2]) end;
end $$;
