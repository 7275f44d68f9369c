-- The ledger's clock. Tests replace it.
create or replace function wallet.clock() returns timestamptz
language sql volatile as $$
  select pg_catalog.clock_timestamp()
$$;
