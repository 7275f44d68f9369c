-- Sealed chunks in the order of the primary key, as core/room.SealedRows describes. A row id is <file id>/<number>. One call reads
-- at most 5,000 rows, so it may return none although some follow.
create or replace function wallet_api.list_sealed_chunks(p_except_key text, p_after text, p_limit integer, p_values boolean)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_most_read constant integer := 5000;
  v_file uuid := coalesce(split_part(p_after, '/', 1), '00000000-0000-0000-0000-000000000000')::uuid;
  v_number integer := coalesce(split_part(p_after, '/', 2), '-1')::integer;
  v_page text;
begin
  with seen as (
    select c.file_id, c.number, c.key_id from platform.file_chunks c
    where (c.file_id, c.number) > (v_file, v_number) order by c.file_id, c.number limit c_most_read
  ), chosen as (
    select s.file_id, s.number, s.key_id from seen s where s.key_id is not null and s.key_id is distinct from p_except_key
    order by s.file_id, s.number limit p_limit
  )
  select json_build_object(
    'rows', (select coalesce(json_agg(json_build_object('row_id', h.file_id || '/' || h.number, 'key_id', h.key_id,
        'value', case when p_values then c.sealed end) order by h.file_id, h.number), '[]')
      from chosen h join platform.file_chunks c on c.file_id = h.file_id and c.number = h.number),
    'next', coalesce(
      (select h.file_id || '/' || h.number from chosen h order by h.file_id, h.number offset p_limit - 1 limit 1),
      (select s.file_id || '/' || s.number from seen s order by s.file_id, s.number offset c_most_read - 1 limit 1)))::text
    into v_page;
  return v_page;
end $$;

-- Replaces a sealed chunk if it is still the old value; whether it was.
create or replace function wallet_api.replace_sealed_chunk(p_row_id text, p_old text, p_new text, p_key_id text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  update platform.file_chunks c set sealed = p_new, key_id = p_key_id
    where c.file_id = split_part(p_row_id, '/', 1)::uuid and c.number = split_part(p_row_id, '/', 2)::integer
      and c.sealed = p_old;
  return found::text;
end $$;
