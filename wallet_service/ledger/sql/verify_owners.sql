-- The wallets that postings touched, for reports: {transaction_id: [wallet_id]}. p_transactions is an array of ids.
create or replace function wallet_api.verify_owners(p_transactions jsonb) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (select coalesce(json_object_agg(o.transaction_id, o.wallets), '{}')::text from (
    select t.transaction_id, json_agg(t.wallet_id order by t.leg) as wallets from wallet.wallet_transactions t
    where t.transaction_id = any (array(select jsonb_array_elements_text(p_transactions)::uuid))
    group by t.transaction_id) o);
end $$;
