-- Stores the next chunk of an upload; safe to repeat. p_content: base64, or the sealed value where p_key_id names its key.
-- p_size: the bytes of the chunk as the caller sent them. The quota is checked in the same transaction. Returns the size so far.
create or replace function wallet_api.write_file_chunk(p_owner text, p_file_id uuid, p_number integer, p_size integer,
  p_content text, p_key_id text, p_quota_bytes bigint, p_ttl_s integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_chunk_bytes constant integer := 262144;
  v_file platform.files;
  v_used bigint;
begin
  perform wallet.require_read_committed();
  select * into v_file from platform.files f
    where f.file_id = p_file_id and f.owner = p_owner and not f.complete and f.expires_at > wallet.clock() for update;
  if not found then
    perform wallet.refuse_call('file_not_found');
  elsif exists (select from platform.file_chunks c where c.file_id = p_file_id and c.number = p_number) then
    return v_file.size_bytes::text;
  elsif p_size not between 1 and c_chunk_bytes or v_file.size_bytes <> p_number::bigint * c_chunk_bytes
      or (p_key_id is not null) <> v_file.personal or length(p_content) > 400000 then
    perform wallet.refuse_call('file_incomplete', jsonb_build_object('size_bytes', v_file.size_bytes));
  end if;
  insert into platform.file_chunks (file_id, number, content, sealed, key_id)
    values (p_file_id, p_number, case when p_key_id is null then decode(p_content, 'base64') end,
      case when p_key_id is not null then p_content end, p_key_id);
  update platform.file_usage u set bytes = u.bytes + p_size
    where u.owner = p_owner and u.bytes + p_size <= p_quota_bytes;
  if not found then
    select u.bytes into v_used from platform.file_usage u where u.owner = p_owner;
    perform wallet.refuse_call('file_quota_exceeded', jsonb_build_object('quota_bytes', p_quota_bytes,
      'used_bytes', v_used - v_file.charged_bytes));
  end if;
  update platform.files f set size_bytes = f.size_bytes + p_size, charged_bytes = f.charged_bytes + p_size,
      expires_at = wallet.clock() + make_interval(secs => p_ttl_s)
    where f.file_id = p_file_id;
  return (v_file.size_bytes + p_size)::text;
end $$;
