-- Creates a wallet once for each key: {"status":"created"|"replayed","wallet":{…}}. p_wallet: see wallet.open_wallet. p_verified:
-- whether its user is known to exist; null creates no wallet, and only repeats the result of an earlier creation.
create or replace function wallet_api.create_wallet(p_wallet_id uuid, p_client_id text, p_idempotency_key text,
  p_wallet jsonb, p_deposit jsonb default null, p_verified boolean default true, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_hash bytea := wallet.hash_wallet_request(wallet.strip_wallet_defaults(p_wallet), p_deposit);
  v_key text := coalesce(p_idempotency_key, p_wallet_id::text);
  v_spent wallet.idempotency;
  v_answer text;
begin
  perform wallet.require_read_committed();
  if coalesce(length(p_client_id), 0) not between 1 and 600 then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/client_id', 'must be 1 to 600 characters'));
  elsif p_wallet_id is null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/wallet_id', 'must be given'));
  elsif length(v_key) not between 1 and 255 or v_key collate "C" ~ '[^ -~]' then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/idempotency_key', 'must be 1 to 255 printable ASCII characters'));
  end if;
  insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, created_at)
    values (p_client_id, v_key, 'wallet', p_wallet_id, v_hash, wallet.clock())
    on conflict do nothing;
  if not found then
    select * into v_spent from wallet.idempotency i where i.client_id = p_client_id and i.key = v_key;
    if v_spent.key is null then
      perform wallet.refuse_call('wallet_busy');
    elsif v_spent.kind <> 'wallet' or v_spent.request_hash not in (v_hash, wallet.hash_wallet_request(p_wallet, p_deposit)) then
      perform wallet.refuse_call('idempotency_key_reused');
    end if;
    perform wallet.await_replication();
    return '{"status":"' || case when v_spent.transaction_id = p_wallet_id then 'created' else 'replayed' end
      || '","wallet":' || v_spent.answer || '}';
  end if;
  if p_verified is null then
    perform wallet.refuse_call('user_unknown');
  end if;
  v_answer := wallet.open_wallet(p_wallet_id, p_wallet, p_deposit, p_verified, p_caller);
  update wallet.idempotency i set answer = v_answer where i.client_id = p_client_id and i.key = v_key;
  return '{"status":"created","wallet":' || v_answer || '}';
end $$;

-- The hash of a request, with equal amounts written alike. \x01 is the version of this rule. Release 0.1.0 hashed the wallet
-- without strip_wallet_defaults.
create or replace function wallet.hash_wallet_request(p_wallet jsonb, p_deposit jsonb) returns bytea
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return sha256('\x01'::bytea || convert_to((p_wallet
    || jsonb_build_object('credit_limit', wallet.read_credit_limit(p_wallet ->> 'credit_limit', p_wallet ->> 'currency')::text)
    || jsonb_build_object('deposit', p_deposit - 'transaction_id' - 'client_id'
      || jsonb_build_object('amount', wallet.read_balance(p_deposit ->> 'amount')::text)))::text, 'UTF8'));
end $$;

-- A wallet's members without those that have their default value: they ask for the same wallet as when they are left out.
create or replace function wallet.strip_wallet_defaults(p_wallet jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(p_wallet) is distinct from 'object' then
    return p_wallet;    -- which open_wallet refuses
  end if;
  return (select coalesce(jsonb_object_agg(m.key, m.value), '{}') from jsonb_each(p_wallet) m
    where m.value <> 'null' and (m.key, m.value) not in (('metadata', '{}'::jsonb), ('keeping', '"operating"'))
      and (m.key <> 'credit_limit' or wallet.read_credit_limit(p_wallet ->> 'credit_limit', p_wallet ->> 'currency') <> 0));
end $$;

-- Creates a wallet, and posts its opening balance in the same transaction; refuses the call where it can't. p_wallet has user_id,
-- wallet_type, currency, name and, optionally, keeping, organization_id, network, address, credit_limit, metadata. p_deposit is
-- null, or the members of the deposit without type and wallet_id; the amount of a mirrored wallet can be
-- negative. p_verified: false marks the wallet as unverified. The creation is recorded before the deposit is posted: so readers of
-- events see the wallet before its first entry.
create or replace function wallet.open_wallet(p_wallet_id uuid, p_wallet jsonb, p_deposit jsonb,
  p_verified boolean default true, p_caller jsonb default null) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_fault jsonb := wallet.find_wallet_fault(p_wallet);
  v_in wallet.wallets;
  v_limit numeric;
  v_existing uuid;
  v_outcome jsonb;
begin
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', v_fault);
  elsif p_wallet_id is null or num_nulls(p_wallet ->> 'user_id', p_wallet ->> 'wallet_type', p_wallet ->> 'currency',
      p_wallet ->> 'name') > 0 then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('', 'needs wallet_id, user_id, wallet_type, currency, name'));
  end if;
  v_in := jsonb_populate_record(null::wallet.wallets, (select jsonb_object_agg(m.key, m.value) from jsonb_each(p_wallet) m
    where m.key in ('user_id', 'organization_id', 'name', 'wallet_type', 'currency', 'keeping', 'network', 'address', 'metadata')));
  v_in.keeping := coalesce(v_in.keeping, 'operating');
  if not exists (select from wallet.currencies c where c.code = v_in.currency) then
    perform wallet.refuse_call('currency_unknown', jsonb_build_object('currency', left(v_in.currency, 32),
      'similar', wallet.list_similar_currencies(v_in.currency)));
  end if;
  v_limit := coalesce(wallet.read_credit_limit(p_wallet ->> 'credit_limit', v_in.currency), 0);
  if v_in.keeping = 'mirrored' and v_limit <> 0 then
    perform wallet.refuse_call('wallet_mirrored', '{}');
  end if;
  perform wallet.lock_user_currency(v_in.user_id, v_in.currency);
  select w.wallet_id into v_existing from wallet.wallets w where w.user_id = v_in.user_id
    and w.wallet_type = v_in.wallet_type and w.currency = v_in.currency and w.name = v_in.name and w.keeping = v_in.keeping
      and w.status <> 'closed';
  if found then
    perform wallet.refuse_call('wallet_exists', jsonb_build_object('wallet_id', v_existing));
  end if;
  insert into wallet.wallets (wallet_id, user_id, organization_id, name, wallet_type, currency, network, address,
      keeping, credit_limit, is_primary, metadata, created_at, updated_at, unverified_since)
    select p_wallet_id, v_in.user_id, v_in.organization_id, v_in.name, v_in.wallet_type, v_in.currency, v_in.network,
      v_in.address, v_in.keeping, v_limit, not exists (select from wallet.wallets w
        where w.user_id = v_in.user_id and w.currency = v_in.currency and w.keeping = v_in.keeping and w.is_primary),
      coalesce(v_in.metadata, '{}'), t.now, t.now, case when not p_verified then t.now end
    from (select wallet.clock() as now) t
    returning * into v_in;
  perform wallet.record_wallet_change(p_caller, null, v_in);
  if p_deposit is not null then
    p_deposit := p_deposit || jsonb_build_object('type', 'deposit', 'wallet_id', p_wallet_id) || case v_in.keeping
      when 'mirrored' then '{"counter_account": "mirrored:opening"}'::jsonb else '{}' end;
    if v_in.keeping = 'mirrored' and left(p_deposit ->> 'amount', 1) = '-' then
      p_deposit := p_deposit || jsonb_build_object('type', 'withdraw', 'amount', substr(p_deposit ->> 'amount', 2));
    end if;
    v_outcome := wallet_api.post_transactions(jsonb_build_array(jsonb_build_object('operations',
      jsonb_build_array(p_deposit))))::jsonb -> 0 -> 0;
    if v_outcome ->> 'status' <> 'posted' then
      perform wallet.refuse_call(coalesce(v_outcome ->> 'code', 'wallet_busy'), v_outcome -> 'facts');
    end if;
  end if;
  return (select wallet.format_wallet(w) from wallet.wallets w where w.wallet_id = p_wallet_id);
end $$;
