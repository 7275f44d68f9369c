-- Step 4, one operation: whether it may post, and the rows it leaves. Changes nothing. p_target is the other wallet
-- of two; p_original the rows a refund reverses, p_refunded how much of them was refunded before.
create or replace function wallet.decide_operation(p_op wallet.operation, p_source wallet.account, p_target wallet.account,
  p_original wallet.wallet_transactions[], p_refunded numeric, p_now timestamptz) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_amount numeric := p_op.amount;
  v_signed numeric;
  v_counter text := p_op.counter_account;
  v_refusal wallet.decision;
  v_at timestamptz;
  v_first wallet.wallet_transactions := p_original[1];
  v_legs wallet.wallet_transactions[];
begin
  if p_op.type = 'refund' then
    if v_first.transaction_id is null then
      return wallet.build_refusal('transaction_not_found', jsonb_build_object('transaction_id', p_op.original_transaction_id));
    elsif v_first.transaction_type = 'refund' then
      return wallet.build_refusal('not_refundable', jsonb_build_object('transaction_id', p_op.original_transaction_id));
    end if;
    v_amount := coalesce(v_amount, trim_scale(v_first.amount - p_refunded));
    if v_amount <= 0 or p_refunded + v_amount > v_first.amount then
      return wallet.build_refusal('refund_exceeds', jsonb_build_object('transaction_id', p_op.original_transaction_id,
        'refundable', wallet.format_amount(v_first.amount - p_refunded, p_source.exponent)));
    end if;
    v_counter := v_first.counter_account;
  elsif p_source.wallet_id is null or p_source.user_id <> p_op.acting_user_id then
    return wallet.build_refusal('wallet_not_found', jsonb_build_object('wallet_id', p_op.wallet_id));
  elsif p_op.type = 'transfer' then
    if p_op.to_wallet_id = p_op.wallet_id then
      return wallet.build_refusal('same_wallet', jsonb_build_object('wallet_id', p_op.wallet_id));
    elsif p_target.wallet_id is null then
      return wallet.build_refusal('wallet_not_found', jsonb_build_object('wallet_id', p_op.to_wallet_id));
    elsif p_target.currency <> p_source.currency then
      return wallet.build_refusal('currency_mismatch', jsonb_build_object('currency', p_source.currency)
        || case when p_op.acting_user_id is null then jsonb_build_object('to_currency', p_target.currency) else '{}' end);
    end if;
    v_counter := 'wallet:' || p_op.to_wallet_id;
  end if;
  if scale(v_amount) > p_source.exponent then
    return wallet.build_refusal('amount_precision', jsonb_build_object('currency', p_source.currency,
      'exponent', p_source.exponent));
  end if;
  v_signed := case when p_op.type in ('deposit', 'reward') or v_first.direction = 'debit'
    then v_amount else -v_amount end;
  v_refusal := wallet.check_movement(p_source, v_signed);
  if v_refusal.status is null and p_target.wallet_id is not null then
    v_refusal := wallet.check_movement(p_target, -v_signed);
  end if;
  if v_refusal.status is not null then
    return v_refusal;
  end if;
  v_at := greatest(p_now, p_source.last_posted_at, p_target.last_posted_at);
  v_legs := array[wallet.build_entry(p_op, p_source, 0, v_signed, coalesce(v_counter, case p_op.type
    when 'deposit' then 'external:deposits' when 'withdraw' then 'external:withdrawals' when 'consume' then 'revenue:usage'
    when 'reward' then 'promotions' when 'fee' then 'revenue:fees' end), v_at)];
  if p_target.wallet_id is not null then
    v_legs := v_legs || wallet.build_entry(p_op, p_target, 1, -v_signed, 'wallet:' || p_source.wallet_id, v_at);
  end if;
  return row('posted', null, null, p_source.exponent, v_legs, true)::wallet.decision;
end $$;
