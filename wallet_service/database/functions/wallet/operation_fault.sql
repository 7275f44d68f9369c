-- What is wrong with the form of an operation, as the facts of validation_failed; null when nothing is.
create or replace function wallet.operation_fault(p_operation jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  c_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
  v_stranger text;
begin
  if jsonb_typeof(p_operation) is distinct from 'object' then
    return wallet.fault('', 'an operation is an object');
  end if;
  select k into v_stranger from jsonb_object_keys(p_operation) k where k not in (
    'transaction_id', 'type', 'wallet_id', 'to_wallet_id', 'original_transaction_id', 'amount', 'client_id',
    'idempotency_key', 'acting_user_id', 'counter_account', 'reference', 'description', 'metadata', 'effective_at')
    limit 1;
  if found then
    return wallet.fault('/' || left(v_stranger, 100), 'is no member of an operation');
  end if;
  select m.key into v_stranger from jsonb_each(p_operation) m where m.key not in ('amount', 'metadata')
    and jsonb_typeof(m.value) not in ('string', 'null') limit 1;
  if found then
    return wallet.fault('/' || v_stranger, 'must be a string');
  end if;
  return (select wallet.fault(w.pointer, w.detail)
    from jsonb_to_record(p_operation) as f (transaction_id text, type text, wallet_id text, to_wallet_id text,
      original_transaction_id text, client_id text, idempotency_key text, acting_user_id text, counter_account text,
      reference text, description text, metadata jsonb, effective_at text),
    lateral (values
      (1, '/transaction_id', 'must be a UUID', coalesce(f.transaction_id, '') !~ c_uuid),
      (2, '/type', 'must be deposit, withdraw, consume, transfer, reward, fee or refund',
        coalesce(f.type, '') not in ('deposit', 'withdraw', 'consume', 'transfer', 'reward', 'fee', 'refund')),
      (3, '/wallet_id', 'must be a UUID, and no refund has it',
        case f.type when 'refund' then f.wallet_id is not null else coalesce(f.wallet_id, '') !~ c_uuid end),
      (4, '/to_wallet_id', 'must be a UUID, and only a transfer has it',
        case f.type when 'transfer' then coalesce(f.to_wallet_id, '') !~ c_uuid else f.to_wallet_id is not null end),
      (5, '/original_transaction_id', 'must be a UUID, and only a refund has it',
        case f.type when 'refund' then coalesce(f.original_transaction_id, '') !~ c_uuid
          else f.original_transaction_id is not null end),
      (6, '/client_id', 'must be 1 to 600 characters', length(f.client_id) not between 1 and 600),
      (7, '/idempotency_key', 'must be 1 to 255 printable ASCII characters',
        f.idempotency_key collate "C" !~ '^[ -~]{1,255}$'),
      (8, '/acting_user_id', 'must be 1 to 255 characters', length(f.acting_user_id) not between 1 and 255),
      (9, '/counter_account', 'must be promotions, or one of revenue: external: promotions: expense: followed by'
        ' 1 to 100 of A-Z a-z 0-9 . _ : -; a transfer or a refund has none',
        f.type in ('transfer', 'refund') and f.counter_account is not null or f.counter_account collate "C"
          !~ '^(promotions|(revenue|external|promotions|expense):[A-Za-z0-9._:-]{1,100})$'),
      (10, '/reference', 'must be 1 to 255 characters without control characters',
        length(f.reference) not between 1 and 255 or f.reference ~ '[\u0001-\u001f\u007f-\u009f]'),
      (11, '/description', 'must be at most 1000 characters without control characters other than tab and line ends',
        length(f.description) > 1000 or f.description ~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]'),
      (12, '/metadata', 'must be an object of at most 16 KiB',
        jsonb_typeof(f.metadata) not in ('object', 'null') or octet_length(f.metadata::text) > 16384),
      (13, '/effective_at', 'must be an RFC 3339 timestamp with its offset from UTC',
        f.effective_at is not null and wallet.read_time(f.effective_at) is null)
    ) as w (n, pointer, detail, wrong)
    where w.wrong order by w.n limit 1);
end $$;
