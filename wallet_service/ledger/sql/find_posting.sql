-- The ledger rows of a posting in the order of their legs; null where there is no such posting.
create or replace function wallet.find_posting(p_transaction_id uuid) returns wallet.wallet_transactions[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select array_agg(t order by t.leg) from wallet.wallet_transactions t where t.transaction_id = p_transaction_id);
end $$;
