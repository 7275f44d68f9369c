-- A file of the owner as callers see it. Refuses one that does not exist, is incomplete, has expired, or belongs to another owner.
create or replace function wallet_api.read_file(p_owner text, p_file_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return platform.format_file(platform.find_file(p_owner, p_file_id));
end $$;

-- A chunk of a file of the owner: base64, or the sealed value of a personal file; empty if there is no such chunk.
create or replace function wallet_api.read_file_chunk(p_owner text, p_file_id uuid, p_number integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform platform.find_file(p_owner, p_file_id);
  return coalesce((select coalesce(c.sealed, replace(encode(c.content, 'base64'), E'\n', ''))
    from platform.file_chunks c where c.file_id = p_file_id and c.number = p_number), '');
end $$;

-- A page of the owner's files, newest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_files(p_owner text, p_after uuid default null, p_limit integer default 50) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select '[' || coalesce(string_agg(platform.format_file(f), ',' order by f.file_id desc), '') || ']' || E'\n'
    || coalesce(case when count(*) = p_limit then (array_agg(f.file_id order by f.file_id))[1]::text end, '')
  from (
    select g.* from platform.files g
    where g.owner = p_owner and g.complete and g.expires_at > wallet.clock() and (p_after is null or g.file_id < p_after)
    order by g.file_id desc limit p_limit
  ) f;
$$;

-- The row of a file that the owner can see; refuses the call if there is none.
create or replace function platform.find_file(p_owner text, p_file_id uuid) returns platform.files
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_file platform.files;
begin
  select * into v_file from platform.files f
    where f.file_id = p_file_id and f.owner = p_owner and f.complete and f.expires_at > wallet.clock();
  if not found then
    perform wallet.refuse_call('file_not_found');
  end if;
  return v_file;
end $$;

-- A file as callers see it.
create or replace function platform.format_file(p_file platform.files) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select row_to_json(f)::text from (select p_file.file_id, p_file.name, p_file.media_type, p_file.size_bytes,
    encode(p_file.sha256, 'hex') as sha256, p_file.personal, wallet.format_time(p_file.created_at) as created_at,
    wallet.format_time(p_file.expires_at) as expires_at) f
$$;
