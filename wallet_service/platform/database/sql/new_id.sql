-- A new UUIDv7: the milliseconds of the clock, then 74 random bits.
create or replace function wallet.new_id() returns uuid
language sql volatile set search_path = pg_catalog, pg_temp as $$
  select encode(set_byte(r.bytes, 6, get_byte(r.bytes, 6) & 15 | 112), 'hex')::uuid
  from (select overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from wallet.clock()) * 1000)::bigint) from 3) from 1 for 6)) r (bytes)
$$;
