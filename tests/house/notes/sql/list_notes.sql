-- A page of a wallet's notes, oldest first: a JSON array, and on a line of its own the number after which the next page begins.
create or replace function wallet_api.list_notes(p_wallet_id text, p_after bigint default null, p_limit integer default 50)
returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(pg_catalog.json_agg(f order by f.note_id)::text, '[]') || E'\n'
    || coalesce(case when pg_catalog.count(*) = p_limit then pg_catalog.max(f.note_id)::text end, '')
  from (
    select n.* from samples.notes n
    where n.wallet_id = p_wallet_id and n.note_id > coalesce(p_after, 0)
    order by n.note_id limit p_limit
  ) f;
$$;
