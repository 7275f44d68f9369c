-- The ledger row that an operation leaves on one wallet, its values in the order of the table's columns. p_amount is
-- signed: positive credits the wallet.
create or replace function wallet.build_entry(p_op wallet.operation, p_account wallet.account, p_leg integer, p_amount numeric,
  p_counter_account text, p_at timestamptz) returns wallet.wallet_transactions
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return row(p_account.wallet_id, p_account.last_entry + 1, p_op.transaction_id, p_leg,
    p_at, coalesce(p_op.effective_at, p_at),
    p_op.type, case when p_amount > 0 then 'credit' else 'debit' end, p_account.currency,
    abs(p_amount), p_account.balance, p_account.balance + p_amount,
    p_counter_account, p_op.original_transaction_id, p_account.user_id, p_op.client_id,
    p_op.reference, p_op.description, p_op.metadata)::wallet.wallet_transactions;
end $$;
