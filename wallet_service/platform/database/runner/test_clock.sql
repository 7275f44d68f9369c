-- The ledger's clock where WALLET_TEST_CLOCK is set: the moment that was set, and the time since. Installed by migrate.
create or replace function wallet.clock() returns timestamptz
language sql volatile as $$
  select coalesce((select c.moment + (pg_catalog.clock_timestamp() - c.set_at) from wallet.test_clock c),
    pg_catalog.clock_timestamp())
$$;
