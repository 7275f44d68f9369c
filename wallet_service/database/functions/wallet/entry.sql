-- The ledger row that an operation leaves on one wallet. p_amount is signed: positive credits the wallet.
create or replace function wallet.entry(p_op wallet.operation, p_account wallet.account, p_leg integer, p_amount numeric,
  p_counter_account text, p_at timestamptz) returns wallet.wallet_transactions
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_entry wallet.wallet_transactions;
begin
  v_entry.wallet_id := p_account.wallet_id;
  v_entry.wallet_version := p_account.last_entry + 1;
  v_entry.transaction_id := p_op.transaction_id;
  v_entry.leg := p_leg;
  v_entry.created_at := p_at;
  v_entry.effective_at := coalesce(p_op.effective_at, p_at);
  v_entry.transaction_type := p_op.transaction_type;
  v_entry.direction := case when p_amount > 0 then 'credit' else 'debit' end;
  v_entry.currency := p_account.currency;
  v_entry.amount := abs(p_amount);
  v_entry.balance_before := p_account.balance;
  v_entry.balance_after := p_account.balance + p_amount;
  v_entry.counter_account := p_counter_account;
  v_entry.original_transaction_id := p_op.original_transaction_id;
  v_entry.user_id := p_account.user_id;
  v_entry.client_id := p_op.client_id;
  v_entry.reference := p_op.reference;
  v_entry.description := p_op.description;
  v_entry.metadata := p_op.metadata;
  return v_entry;
end $$;
