-- Lets PostgREST read the schema again, for a function that is newer than what it has read. Without PostgREST it does nothing.
create or replace function wallet_api.reload_rest() returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('pgrst', 'reload schema');
  return 'true';
end $$;
