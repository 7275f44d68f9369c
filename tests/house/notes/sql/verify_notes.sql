-- What verify checks of notes: none is empty. One page holds them all.
create or replace function wallet_api.verify_notes(p_after bigint default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_after is not null then
    return '{"next": null}';
  end if;
  return (
    select pg_catalog.json_build_object(
      'next', pg_catalog.json_build_object('after', coalesce(pg_catalog.max(n.note_id), 0)),
      'checked', pg_catalog.count(*),
      'faults', coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('check', 'note text', 'wallet_id', n.wallet_id))
                         filter (where n.text = ''), '[]'))::text
    from samples.notes n);
end $$;
