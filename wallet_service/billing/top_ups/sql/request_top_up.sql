-- Starts a top-up on request, once for each idempotency key: {"status":"created"|"replayed","top_up":{…}}. Safe to repeat with the same
-- p_top_up_id. p_payment_method null: that of the rule. p_request_hash is hexadecimal. p_creator: as platform.enqueue_job.
create or replace function wallet_api.request_top_up(p_top_up_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_wallet_id uuid, p_amount text, p_payment_method text, p_reference text, p_metadata jsonb, p_creator jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_wallet wallet.wallets;
  v_amount constant numeric := wallet.read_amount(p_amount);
  v_exponent integer;
  v_method text := p_payment_method;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'request_top_up', p_top_up_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","top_up":' || v_spent.response || '}';
  end if;
  v_wallet := wallet.lock_wallet(p_wallet_id, null, null);
  select c.exponent into v_exponent from wallet.currencies c where c.code = v_wallet.currency;
  select coalesce(p_payment_method, r.payment_method) into v_method
    from (select) one left join billing.top_up_rules r on r.wallet_id = p_wallet_id and r.is_set;
  if exists (select from billing.top_ups t where t.top_up_id = p_top_up_id) then    -- by an earlier sending, without a key
    return (select '{"status":"created","top_up":' || billing.format_top_up(t) || '}' from billing.top_ups t where t.top_up_id = p_top_up_id);
  elsif v_wallet.keeping = 'mirrored' then
    perform wallet.refuse_call('wallet_mirrored', jsonb_build_object('wallet_id', p_wallet_id));
  elsif v_wallet.status <> 'active' then
    perform wallet.refuse_call('wallet_frozen', jsonb_build_object('wallet_id', p_wallet_id));
  elsif scale(trim_scale(v_amount)) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', v_wallet.currency, 'exponent', v_exponent));
  elsif v_wallet.balance + v_amount >= 1e20 then
    perform wallet.refuse_call('balance_limit', jsonb_build_object('wallet_id', p_wallet_id));
  elsif v_method is null then
    perform wallet.refuse_call('validation_failed',
      wallet.build_fault('/payment_method', 'must be given: the wallet has no rule that names one'));
  elsif billing.find_open_top_up(p_wallet_id) is not null then
    perform wallet.refuse_call('top_up_under_way',
      jsonb_build_object('wallet_id', p_wallet_id, 'top_up_id', billing.find_open_top_up(p_wallet_id)));
  end if;
  v_answer := billing.format_top_up(billing.create_top_up(p_top_up_id, p_wallet_id, 'request', v_amount, v_method, p_reference,
    p_metadata, p_creator, p_caller));
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","top_up":' || v_answer || '}';
end $$;
