-- What the ledger's clock shows, and whether it was set.
create or replace function wallet_api.read_test_clock() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return json_build_object('moment', wallet.format_time(wallet.clock()),
    'is_set', exists (select from wallet.test_clock))::text;
end $$;
