-- One change at a time to which of a user's wallets exist and is primary in a currency. Taken before any row lock.
create or replace function wallet.lock_user_currency(p_user_id text, p_currency text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_currency || ' ' || p_user_id, 8208));
end $$;
