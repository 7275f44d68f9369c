-- The operations of a call in order, read and numbered. The leader of an operation is the first one with the same key.
-- A transaction_id that is used again under another key is refused.
create or replace function wallet.read_operations(p_units jsonb) returns wallet.operation[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_ops wallet.operation[];
  v_op wallet.operation;
  v_members jsonb;         -- of the unit, without its operations: those of most units are the same
  v_unit wallet.operation; -- the same as members of each of its operations
  v_operations jsonb;
  v_last integer;
  v_ordinal integer := 0;
  -- Two hash tables, of leaders by key and of operations by transaction_id: the newest operation of each slot, and by operation
  -- the one before it.
  c_slots constant integer := 16 + 4 * (jsonb_array_length(p_units) + jsonb_array_length(p_units -> 0 -> 'operations'));
  v_keys integer[] := array_fill(null::integer, array[c_slots]);
  v_before_key integer[];
  v_named integer[] := array_fill(null::integer, array[c_slots]);
  v_before_named integer[];
  v_slot integer;
  v_found integer;
  v_claiming boolean[];    -- by leader
begin
  for i in 0 .. jsonb_array_length(p_units) - 1 loop
    v_operations := p_units -> i -> 'operations';
    v_last := jsonb_array_length(v_operations) - 1;
    if (p_units -> i) - 'operations' is distinct from v_members then
      v_members := (p_units -> i) - 'operations';
      v_unit := jsonb_populate_record(null::wallet.operation,
        '{"atomic": false, "dry_run": false, "resent": false, "attempt": 1}' || v_members);
      v_unit.sending := coalesce(v_unit.sending, case when v_unit.resent then 2 else 1 end);
    end if;
    for j in 0 .. v_last loop
      v_ordinal := v_ordinal + 1;
      v_op := v_unit;
      v_op.ordinal := v_ordinal;
      v_op.unit := i;
      v_op.position := j;
      v_op.ends_unit := j = v_last;
      v_op.leader := v_ordinal;
      v_op := wallet.read_operation(v_operations -> j, v_op);
      if v_op.refusal is null then
        v_slot := 1 + (hashtext(v_op.idempotency_key) & 2147483647) % c_slots;
        v_found := v_keys[v_slot];
        while v_found is not null and (v_ops[v_found].idempotency_key <> v_op.idempotency_key
            or v_ops[v_found].client_id <> v_op.client_id) loop
          v_found := v_before_key[v_found];
        end loop;
        if v_found is null then
          v_before_key[v_ordinal] := v_keys[v_slot];
          v_keys[v_slot] := v_ordinal;
        else
          v_op.leader := v_found;
        end if;
      end if;
      if v_op.refusal is null and not v_op.dry_run then
        v_slot := 1 + (uuid_hash(v_op.transaction_id) & 2147483647) % c_slots;
        v_found := v_named[v_slot];
        while v_found is not null and v_ops[v_found].transaction_id <> v_op.transaction_id loop
          v_found := v_before_named[v_found];
        end loop;
        if v_ops[v_found].leader <> v_op.leader then
          v_op.refusal := 'idempotency_key_reused';
          v_op.facts := jsonb_build_object('transaction_id', v_op.transaction_id);
        else
          v_before_named[v_ordinal] := v_named[v_slot];
          v_named[v_slot] := v_ordinal;
          v_op.claims := v_claiming[v_op.leader] is null;
          v_claiming[v_op.leader] := true;
        end if;
      end if;
      v_ops[v_ordinal] := v_op;
    end loop;
  end loop;
  return v_ops;
end $$;

-- One operation as the caller wrote it, added to what the call knows of it. A fault of the operation becomes its refusal. In place
-- of wallet_id it can have user_id and currency: the wallet that find_wallet finds for them.
create or replace function wallet.read_operation(p_operation jsonb, p_known wallet.operation) returns wallet.operation
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  f wallet.operation_form;
  v_op alias for p_known;
  v_kind wallet.operation_type;
  v_owner jsonb;
begin
  if jsonb_typeof(p_operation) <> 'object' then
    v_op.facts := wallet.build_fault('', 'an operation is an object');
  else
    f := jsonb_populate_record(null::wallet.operation_form, p_operation);
    v_kind := wallet.find_operation_type(f.type);
    v_op.by_owner := f.wallet_id is null and v_kind.form in ('movement', 'transfer') and jsonb_typeof(p_operation -> 'user_id') = 'string'
      and jsonb_typeof(p_operation -> 'currency') = 'string';
    if v_op.by_owner then
      v_owner := jsonb_build_object('user_id', p_operation -> 'user_id', 'currency', p_operation -> 'currency');
      p_operation := p_operation - '{user_id,currency}'::text[] || jsonb_build_object('wallet_id',
        case when coalesce(f.acting_user_id = v_owner ->> 'user_id', true) then wallet.find_wallet(v_owner ->> 'user_id',
          v_owner ->> 'currency', coalesce(f.client_id, 'sql:' || session_user), f.idempotency_key) end);
      f.wallet_id := coalesce(p_operation ->> 'wallet_id', f.transaction_id); -- without a wallet the form is right too
    end if;
    v_op.facts := wallet.find_operation_fault(p_operation, f, v_kind);
  end if;
  if v_op.facts is not null then
    v_op.refusal := 'validation_failed';
    return v_op;
  end if;
  -- One by one, which costs a third of jsonb_populate_record.
  v_op.transaction_id := f.transaction_id::uuid;
  v_op.type := f.type;
  v_op.form := v_kind.form;
  v_op.wallet_id := case when v_op.by_owner then p_operation ->> 'wallet_id' else f.wallet_id end::uuid;
  v_op.to_wallet_id := f.to_wallet_id::uuid;
  v_op.original_transaction_id := f.original_transaction_id::uuid;
  v_op.client_id := coalesce(f.client_id, 'sql:' || session_user);
  v_op.idempotency_key := coalesce(f.idempotency_key, v_op.transaction_id::text);
  v_op.acting_user_id := f.acting_user_id;
  v_op.amount := wallet.read_amount(f.amount);
  v_op.counter_account := f.counter_account;
  v_op.reference := f.reference;
  v_op.description := f.description;
  v_op.metadata := case when jsonb_typeof(f.metadata) = 'object' then f.metadata else '{}' end;
  v_op.effective_at := wallet.read_time(f.effective_at);
  v_op.terms := f.terms;
  v_op.caller := f.caller;
  if v_op.form in ('adjustment', 'entries') then
    v_op := wallet.read_entries(v_op, f);
  end if;
  if f.acting_user_id is not null and not v_kind.users_operating and not v_kind.users_mirrored then
    v_op.refusal := 'forbidden';
    v_op.facts := '{}';
  elsif v_op.amount is null and (f.amount is not null or v_op.form not in ('refund', 'adjustment', 'entries', 'room'))
      or v_op.refusal is not null then
    v_op.refusal := 'amount_invalid';
    v_op.facts := '{}';
  elsif v_op.by_owner and v_op.wallet_id is null then
    v_op.refusal := 'wallet_not_found';
    v_op.facts := v_owner;
  else
    -- The request of the caller, without what differs between two attempts. \x01 is the version of this rule.
    if v_op.form in ('adjustment', 'entries') then
      p_operation := case when f.metadata = '{}' then p_operation - 'metadata' else p_operation end || jsonb_strip_nulls(jsonb_build_object('balance', v_op.balance::text,
        'entries', case v_op.form when 'entries' then to_jsonb(v_op.entries) end));
    end if;
    if f.terms is not null then
      p_operation := p_operation #- '{terms,defaults}';    -- settings of the service, with which a later attempt may differ
    end if;
    v_op.request_hash := sha256('\x01'::bytea || convert_to((p_operation
      - '{transaction_id,client_id,idempotency_key,acting_user_id,caller,amount}'::text[]
      || jsonb_build_object('amount', v_op.amount::text))::text, 'UTF8'));
  end if;
  return v_op;
end $$;

-- The fault in the form of an operation, as the facts of validation_failed; null when there is none. p_form is p_operation, an
-- object, as a row; p_kind is its type.
create or replace function wallet.find_operation_fault(p_operation jsonb, p_form wallet.operation_form,
  p_kind wallet.operation_type) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_texts constant text[] := '{transaction_id,type,wallet_id,to_wallet_id,original_transaction_id,client_id,idempotency_key,'
    'acting_user_id,counter_account,reference,description,effective_at,direction,balance}'::text[]; -- else it is parsed each time
  c_others constant text[] := '{amount,metadata,entries,terms,caller}'::text[];
  c_form constant text := p_kind.form;
  f alias for p_form;
  v_texts constant jsonb := p_operation - c_others;
  v_fault text[];
begin
  if v_texts - c_texts <> '{}'
      or jsonb_path_exists(v_texts, 'strict $.* ? (@.type() != "string" && @.type() != "null")') then
    select array['/' || left(m.key, 100),
        case when m.key = any (c_texts) then 'must be a string' else 'is no member of an operation' end]
      into v_fault from jsonb_each(v_texts) m
      where m.key <> all (c_texts) or jsonb_typeof(m.value) not in ('string', 'null') limit 1;
    return wallet.build_fault(v_fault[1], v_fault[2]);
  end if;
  -- The first fault. A chain of conditions is many times faster here than a list of rows, and a check of the length than a
  -- bound in a regular expression.
  v_fault := case
    when wallet.is_uuid(f.transaction_id) is not true then array['/transaction_id', 'must be a UUID']
    when p_kind.name is null then array['/type', 'must be ' || wallet.list_operation_types()]
    when case when c_form in ('refund', 'entries') then f.wallet_id is not null else wallet.is_uuid(f.wallet_id) is not true end
      then array['/wallet_id', 'must be a UUID, and no refund has it']
    when case c_form when 'transfer' then wallet.is_uuid(f.to_wallet_id) is not true else f.to_wallet_id is not null end
      then array['/to_wallet_id', 'must be a UUID, and only a transfer has it']
    when case c_form when 'refund' then wallet.is_uuid(f.original_transaction_id) is not true
        else f.original_transaction_id is not null end
      then array['/original_transaction_id', 'must be a UUID, and only a refund has it']
    when length(f.client_id) not between 1 and 600 then array['/client_id', 'must be 1 to 600 characters']
    when length(f.idempotency_key) not between 1 and 255 or f.idempotency_key collate "C" ~ '[^ -~]'
      then array['/idempotency_key', 'must be 1 to 255 printable ASCII characters']
    when length(f.acting_user_id) not between 1 and 255 then array['/acting_user_id', 'must be 1 to 255 characters']
    when f.counter_account is not null and (c_form not in ('movement', 'adjustment', 'room') or not wallet.is_counter_account(f.counter_account))
      then array['/counter_account', 'must be promotions or breakage, or one of revenue: external: promotions: expense: fx: mirrored:'
        ' followed by 1 to 100 of A-Z a-z 0-9 . _ : -; only an operation on one wallet has it']
    when length(f.reference) not between 1 and 255 or f.reference ~ '[\u0001-\u001f\u007f-\u009f]'
      then array['/reference', 'must be 1 to 255 characters without control characters']
    when length(f.description) > 1000 or f.description ~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]'
      then array['/description', 'must be at most 1000 characters without control characters but tab and line ends']
    when f.metadata is not null and wallet.find_metadata_fault(f.metadata) is not null
      then array['/metadata', wallet.find_metadata_fault(f.metadata)]
    when f.effective_at is not null and wallet.read_time(f.effective_at) is null
      then array['/effective_at', 'must be an RFC 3339 timestamp with its offset from UTC']
    when f.effective_at is not null and wallet.read_time(f.effective_at) > wallet.clock() + interval '1 day'
      then array['/effective_at', 'must not be more than a day ahead']
    when c_form in ('adjustment', 'entries') or num_nonnulls(f.entries, f.balance, f.direction) > 0
      then wallet.find_entries_fault(f, c_form)
    when num_nonnulls(f.terms, f.caller) > 0 and case when c_form in ('movement', 'transfer')
        then f.caller is not null or jsonb_typeof(f.terms) <> 'object' or f.terms - wallet.list_posting_members() <> '{}'
        else c_form <> 'room' or jsonb_typeof(f.terms) <> 'object' or jsonb_typeof(f.caller) <> 'object' end
      then array['/terms', 'terms and caller must be objects, and only an operation that a room decides has them; a movement and a'
        ' transfer may have the terms that rooms declare as members']
  end;
  return case when v_fault is not null then wallet.build_fault(v_fault[1], v_fault[2]) end;
end $$;

-- The fault in the members of an adjustment and of an operation of several entries, as pointer and detail; null when there is none.
create or replace function wallet.find_entries_fault(p_form wallet.operation_form, p_type_form text) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  f alias for p_form;
begin
  return case
    when case p_type_form when 'entries' then wallet.are_entries(f.entries) is not true else f.entries is not null end
      then array['/entries', 'must be 1 to 20 objects with wallet_id (a UUID), direction (credit or debit), amount and, optionally,'
        ' counter_account; only an operation of several entries has them']
    when p_type_form = 'entries' and f.amount is not null then array['/amount', 'each entry has its own']
    when case when p_type_form <> 'adjustment' then num_nonnulls(f.balance, f.direction) > 0
        when f.balance is not null then num_nonnulls(f.amount, f.direction) > 0
        else f.amount is null or coalesce(f.direction, '') not in ('credit', 'debit') end
      then array['/balance', 'an adjustment has either balance, or amount with direction (credit or debit); nothing else has them']
    when p_type_form = 'adjustment' and f.description is null then array['/description', 'an adjustment needs a reason']
  end;
end $$;

-- Whether this is the form of the entries of an operation: an array of 1 to 20 objects. Amounts are read later.
create or replace function wallet.are_entries(p_entries jsonb) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(p_entries) is distinct from 'array' or jsonb_array_length(p_entries) not between 1 and 20 then
    return false;
  end if;
  return not exists (
    select from jsonb_array_elements(p_entries) e
    where case when jsonb_typeof(e) <> 'object' then true
      when e - '{wallet_id,direction,amount,counter_account}'::text[] <> '{}' then true
      when jsonb_typeof(e -> 'amount') is distinct from 'string' and jsonb_typeof(e -> 'amount') is distinct from 'number' then true
      when wallet.is_uuid(e ->> 'wallet_id') is not true then true
      when coalesce(e ->> 'direction', '') not in ('credit', 'debit') then true
      when jsonb_typeof(e -> 'counter_account') not in ('string', 'null') then true
      else (e ->> 'counter_account') is not null and not wallet.is_counter_account(e ->> 'counter_account')
        and not (left(e ->> 'counter_account', 7) = 'wallet:' and wallet.is_uuid(substr(e ->> 'counter_account', 8))) end);
end $$;

-- An adjustment or an operation of several entries, with its entries. An amount that can't be read becomes its refusal.
create or replace function wallet.read_entries(p_op wallet.operation, p_form wallet.operation_form) returns wallet.operation
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_op.form = 'adjustment' then
    p_op.balance := wallet.read_balance(p_form.balance);
    p_op.entries := array[row(p_op.wallet_id, case p_form.direction when 'credit' then p_op.amount else -p_op.amount end,
      p_op.counter_account)::wallet.operation_entry];
    if coalesce(p_op.amount, p_op.balance) is null then
      p_op.refusal := 'amount_invalid';
    end if;
    return p_op;
  end if;
  p_op.entries := array(
    select row((e ->> 'wallet_id')::uuid,
      case e ->> 'direction' when 'credit' then wallet.read_amount(e ->> 'amount') else -wallet.read_amount(e ->> 'amount') end,
      case when left(e ->> 'counter_account', 7) = 'wallet:' then 'wallet:' || substr(e ->> 'counter_account', 8)::uuid
        else e ->> 'counter_account' end)::wallet.operation_entry
    from jsonb_array_elements(p_form.entries) with ordinality as each (e, place) order by each.place);
  p_op.wallet_id := p_op.entries[1].wallet_id;
  if exists (select from unnest(p_op.entries) e where e.amount is null) then
    p_op.refusal := 'amount_invalid';
  end if;
  return p_op;
end $$;
