-- Keeps a note; answers {"note_id": …}.
create or replace function wallet_api.write_note(p_wallet_id text, p_text text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_note_id bigint;
begin
  insert into samples.notes (wallet_id, text) values (p_wallet_id, p_text) returning note_id into v_note_id;
  return pg_catalog.json_build_object('note_id', v_note_id)::text;
end $$;
