-- The moment to which the clock was set, and when: at most one row. Only a clock that migrate installed with WALLET_TEST_CLOCK reads it.
create table wallet.test_clock (
  is_only boolean primary key default true check (is_only),
  moment timestamptz not null,
  set_at timestamptz not null
);
