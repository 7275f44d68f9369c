-- Makes a wallet once for each key: {"status":"created"|"replayed","wallet":{…}}. p_wallet: see wallet.open_wallet.
-- p_verified: whether its user is known to exist; null makes no wallet, and only answers again what was made before.
create or replace function wallet_api.create_wallet(p_wallet_id uuid, p_client_id text, p_idempotency_key text,
  p_wallet jsonb, p_deposit jsonb default null, p_verified boolean default true) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  -- What the caller named, with equal amounts written alike. \x01 is the version of this rule.
  v_hash bytea := sha256('\x01'::bytea || convert_to((p_wallet
    || jsonb_build_object('credit_limit', wallet.read_credit_limit(p_wallet ->> 'credit_limit', p_wallet ->> 'currency')::text)
    || jsonb_build_object('deposit', p_deposit - 'transaction_id' - 'client_id'
      || jsonb_build_object('amount', wallet.read_amount(p_deposit ->> 'amount')::text)))::text, 'UTF8'));
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
    elsif v_spent.kind <> 'wallet' or v_spent.request_hash <> v_hash then
      perform wallet.refuse_call('idempotency_key_reused');
    end if;
    return '{"status":"' || case when v_spent.transaction_id = p_wallet_id then 'created' else 'replayed' end
      || '","wallet":' || v_spent.answer || '}';
  end if;
  if p_verified is null then
    perform wallet.refuse_call('user_unknown');
  end if;
  v_answer := wallet.open_wallet(p_wallet_id, p_wallet, p_deposit, p_verified);
  update wallet.idempotency i set answer = v_answer where i.client_id = p_client_id and i.key = v_key;
  return '{"status":"created","wallet":' || v_answer || '}';
end $$;
