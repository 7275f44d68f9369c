-- A posting. A user sees it when one of its legs is on a wallet of that user.
create or replace function wallet_api.get_transaction(p_transaction_id uuid, p_viewer text default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_entries wallet.wallet_transactions[] := wallet.find_posting(p_transaction_id);
begin
  if v_entries is null or not (p_viewer is null or exists (select from unnest(v_entries) e where e.user_id = p_viewer)) then
    perform wallet.refuse_call('transaction_not_found', jsonb_build_object('transaction_id', p_transaction_id));
  end if;
  return (select wallet.format_posting(v_entries, c.exponent, p_viewer, false) from wallet.currencies c
    where c.code = v_entries[1].currency);
end $$;
