-- Refuses a call that writes at another isolation level: its later statements must see what other sessions committed while it
-- waited for a lock, and it must not end in a serialization failure, which some callers repeat without end.
create or replace function wallet.require_read_committed() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'wallet_api needs READ COMMITTED' using errcode = 'WL002';
  end if;
end $$;
