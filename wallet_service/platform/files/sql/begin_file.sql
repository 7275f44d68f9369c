-- Begins an upload, and removes a part of what has expired. Safe to repeat. {"spent":true}: the key was spent on an upload before;
-- then nothing is stored, and complete_file decides by the hash of the request. p_expires_at: null for p_keep_s seconds from now.
-- p_ttl_s: seconds after which an upload is given up when no chunk arrives.
create or replace function wallet_api.begin_file(p_file_id uuid, p_owner text, p_key text, p_name text, p_media_type text,
  p_personal boolean, p_expires_at text, p_keep_s bigint, p_ttl_s integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now timestamptz := wallet.clock();
  v_latest timestamptz := v_now + make_interval(secs => p_keep_s);
  v_until timestamptz := coalesce(wallet.read_time(p_expires_at), v_latest);
begin
  perform wallet.require_read_committed();
  perform wallet_api.delete_expired_files(20);
  if exists (select from platform.request_keys k where k.owner = p_owner and k.key = p_key and k.object_id <> p_file_id) then
    return '{"spent":true}';
  end if;
  if v_until <= v_now or v_until > v_latest then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/expires_at',
      'must be in the future, and at most ' || wallet.format_time(v_latest), 'query'));
  end if;
  insert into platform.file_usage (owner, bytes) values (p_owner, 0) on conflict do nothing;
  insert into platform.files (file_id, owner, name, media_type, personal, created_at, expires_at, keep_until)
    values (p_file_id, p_owner, p_name, p_media_type, p_personal, v_now, v_now + make_interval(secs => p_ttl_s), v_until)
    on conflict do nothing;
  return '{"spent":false}';
end $$;
