-- A ledger row as callers see it. p_viewer: the user who asks, or null for a service; another user's wallet shows
-- neither its balances nor its version nor its owner.
create or replace function wallet.entry_json(p_entry wallet.wallet_transactions, p_exponent integer, p_viewer text)
returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_hidden boolean := p_entry.user_id <> p_viewer;
begin
  return (select row_to_json(v)::text from (select
    p_entry.transaction_id as transaction_id,
    p_entry.leg as leg,
    p_entry.transaction_type as transaction_type,
    p_entry.wallet_id as wallet_id,
    case when v_hidden is not true then p_entry.user_id end as user_id,
    p_entry.currency as currency,
    p_entry.direction as direction,
    wallet.amount_text(p_entry.amount, p_exponent) as amount,
    case when v_hidden is not true then wallet.amount_text(p_entry.balance_before, p_exponent) end as balance_before,
    case when v_hidden is not true then wallet.amount_text(p_entry.balance_after, p_exponent) end as balance_after,
    case when v_hidden is not true then p_entry.wallet_version end as wallet_version,
    p_entry.counter_account as counter_account,
    p_entry.original_transaction_id as original_transaction_id,
    case when p_viewer is null or p_entry.client_id not like 'user:%'
      or substr(p_entry.client_id, strpos(p_entry.client_id, '|') + 1) = p_viewer then p_entry.client_id end as client_id,
    p_entry.reference as reference,
    p_entry.description as description,
    p_entry.metadata as metadata,
    wallet.time_text(p_entry.effective_at) as effective_at,
    wallet.time_text(p_entry.created_at) as created_at) v);
end $$;
