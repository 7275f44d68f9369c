-- The ledger's clock. Tests replace it.
create or replace function wallet.clock() returns timestamptz
language sql volatile as $$
  select pg_catalog.clock_timestamp()
$$;

-- Whether the ledger has the test clock, which callers can set (platform/database/runner/test_clock.sql).
create or replace function wallet.has_test_clock() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select exists (select from pg_proc p where p.oid = 'wallet.clock()'::regprocedure and p.prosrc like '%test_clock%')
$$;
