-- Completes an upload, once for each key: {"status":"created"|"replayed","file":{…}}. Safe to repeat. p_request_hash and p_sha256 are
-- hexadecimal. Refuses an upload whose chunks have another size. A replay gives the upload up and returns the first response.
create or replace function wallet_api.complete_file(p_owner text, p_file_id uuid, p_key text, p_request_hash text, p_sha256 text,
  p_size bigint) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_file platform.files;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_owner, p_key, 'upload_file', p_file_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    if v_spent.status = 'replayed' then
      perform platform.release_file(p_owner, p_file_id, false);
    end if;
    return '{"status":"' || v_spent.status || '","file":' || v_spent.response || '}';
  end if;
  select * into v_file from platform.files f
    where f.file_id = p_file_id and f.owner = p_owner and f.expires_at > wallet.clock() for update;
  if not found then
    perform wallet.refuse_call('file_not_found');
  elsif v_file.size_bytes <> p_size then
    perform wallet.refuse_call('file_incomplete', jsonb_build_object('size_bytes', v_file.size_bytes));
  end if;
  update platform.files f set complete = true, sha256 = decode(p_sha256, 'hex'), expires_at = f.keep_until
    where f.file_id = p_file_id and not f.complete;
  select platform.format_file(f) into v_answer from platform.files f where f.file_id = p_file_id;
  perform platform.keep_response(p_owner, p_key, v_answer);
  return '{"status":"created","file":' || v_answer || '}';
end $$;
