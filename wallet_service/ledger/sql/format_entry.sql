-- A ledger row as callers see it. p_viewer: the user who asks, or null for a service; another user's wallet shows
-- neither its balances nor its version nor its owner. The values are in the order of the type.
create or replace function wallet.format_entry(p_entry wallet.wallet_transactions, p_exponent integer, p_viewer text)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_shown constant boolean := (p_entry.user_id <> p_viewer) is not true;
begin
  return row_to_json(row(
    p_entry.transaction_id, p_entry.leg, p_entry.transaction_type, p_entry.wallet_id,
    case when v_shown then p_entry.user_id end, p_entry.currency, p_entry.direction,
    wallet.format_amount(p_entry.amount, p_exponent),
    case when v_shown then wallet.format_amount(p_entry.balance_before, p_exponent) end,
    case when v_shown then wallet.format_amount(p_entry.balance_after, p_exponent) end,
    case when v_shown then p_entry.wallet_version end,
    p_entry.counter_account, p_entry.original_transaction_id,
    case when p_viewer is null or p_entry.client_id not like 'user:%'
      or substr(p_entry.client_id, strpos(p_entry.client_id, '|') + 1) = p_viewer then p_entry.client_id end,
    p_entry.reference, p_entry.description, p_entry.metadata,
    wallet.format_time(p_entry.effective_at), wallet.format_time(p_entry.created_at))::wallet.shown_entry)::text;
end $$;
