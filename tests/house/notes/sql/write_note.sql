-- Stores a note and returns it.
create or replace function wallet_api.write_note(p_wallet_id text, p_text text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_note samples.notes;
begin
  insert into samples.notes (wallet_id, text) values (p_wallet_id, p_text) returning * into v_note;
  return pg_catalog.row_to_json(v_note)::text;
end $$;
