-- Revokes a key for good; a second call keeps the first moment. Returns {"revoked_at": …}, or null when there is no such key.
create or replace function wallet_api.revoke_key(p_key_id text, p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_key wallet.api_keys;
  v_before jsonb;
begin
  perform wallet.require_read_committed();
  select * into v_key from wallet.api_keys k where k.key_id = p_key_id for update;
  if not found then
    return 'null';
  elsif v_key.revoked_at is null then
    v_before := wallet.format_key(v_key);
    update wallet.api_keys k set revoked_at = wallet.clock() where k.key_id = p_key_id returning * into v_key;
    perform platform.record_change(p_caller, 'api_key.revoked', p_key_id, v_before, wallet.format_key(v_key)::jsonb);
  end if;
  return json_build_object('revoked_at', wallet.format_time(v_key.revoked_at))::text;
end $$;
