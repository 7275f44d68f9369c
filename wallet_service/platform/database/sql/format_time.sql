-- A moment as it leaves the database: RFC 3339, UTC, microseconds. Not immutable, since to_char isn't: it would not be
-- inlined.
create or replace function wallet.format_time(p_at timestamptz) returns text
language sql stable as $$
  select pg_catalog.to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
