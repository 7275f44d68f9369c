-- A page of a wallet's notes, oldest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_notes(p_wallet_id text, p_after uuid default null, p_limit integer default 50)
returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(f order by f.note_id)::text, '[]') || E'\n'
    || coalesce(case when count(*) = p_limit then (array_agg(f.note_id order by f.note_id desc))[1]::text end, '')
  from (
    select n.* from samples.notes n
    where n.wallet_id = p_wallet_id and (p_after is null or n.note_id > p_after)
    order by n.note_id limit p_limit
  ) f;
$$;
