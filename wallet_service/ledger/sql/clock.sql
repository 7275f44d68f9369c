-- The ledger's clock. Tests put another in its place.
create or replace function wallet.clock() returns timestamptz
language sql volatile as $$
  select pg_catalog.clock_timestamp()
$$;
