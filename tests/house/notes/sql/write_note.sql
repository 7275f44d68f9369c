-- Stores a note, once for each key: {"status":"created"|"replayed","note":{…}}. Safe to repeat. p_request_hash is hexadecimal.
create or replace function wallet_api.write_note(p_note_id uuid, p_client_id text, p_key text, p_request_hash text,
  p_wallet_id text, p_text text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'write_note', p_note_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","note":' || v_spent.response || '}';
  end if;
  insert into samples.notes (note_id, wallet_id, text) values (p_note_id, p_wallet_id, p_text) on conflict do nothing;
  v_answer := (select row_to_json(n)::text from samples.notes n where n.note_id = p_note_id);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","note":' || v_answer || '}';
end $$;
