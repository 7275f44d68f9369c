-- What verify checks of notes: none is empty. One page holds them all.
create or replace function wallet_api.verify_notes(p_after uuid default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_after is not null then
    return '{"next": null}';
  end if;
  return (
    select json_build_object(
      'next', (select json_build_object('after', o.note_id) from samples.notes o order by o.note_id desc limit 1),
      'checked', count(*),
      'faults', coalesce(json_agg(json_build_object('check', 'note text', 'wallet_id', n.wallet_id))
                         filter (where n.text = ''), '[]'))::text
    from samples.notes n);
end $$;
