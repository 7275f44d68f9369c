-- Refuses a writing call at another isolation: its later statements must see what others committed while it waited for
-- a lock, and a serialization failure, which some callers repeat for ever, must not come of it.
create or replace function wallet.require_read_committed() returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'wallet_api needs READ COMMITTED' using errcode = 'WL002';
  end if;
end $$;
