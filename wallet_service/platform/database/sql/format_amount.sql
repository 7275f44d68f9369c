-- An amount as it leaves the database: exactly its currency's digits. Never rounds: nothing finer gets in.
create or replace function wallet.format_amount(p_amount numeric, p_exponent integer) returns text
language sql immutable as $$
  select pg_catalog.round(p_amount, p_exponent)::text
$$;
