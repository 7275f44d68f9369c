-- Records what a rotation did with the sealed values of a room: their number, and the id of the key that they have now.
create or replace function wallet_api.record_rotation(p_room text, p_key_id text, p_sealed bigint, p_faults bigint,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform platform.record_change(p_caller, 'credentials.rotated', p_room, null,
    jsonb_build_object('room', p_room, 'key_id', p_key_id, 'sealed', p_sealed, 'faults', p_faults));
  return 'true';
end $$;
