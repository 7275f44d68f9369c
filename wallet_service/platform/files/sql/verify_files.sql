-- Checks files: p_limit files after one. Returns {checked, next, faults: [{check, thing}]}. Of a file that has expired some chunks may
-- be removed already, and its bytes may be given back to the quota.
create or replace function wallet_api.verify_files(p_after uuid default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  c_chunk_bytes constant integer := 262144;
begin
  return (with seen as materialized (
    select f.file_id, f.owner, f.size_bytes, f.charged_bytes, f.personal, f.expires_at <= wallet.clock() as expired
    from platform.files f where p_after is null or f.file_id > p_after order by f.file_id limit least(p_limit, 1000)
  ), chunked as (
    select s.*, c.bytes = s.size_bytes and c.chunks = (s.size_bytes + c_chunk_bytes - 1) / c_chunk_bytes
      and coalesce(c.first = 0 and c.last = c.chunks - 1 and c.full_chunks >= c.chunks - 1 and c.of_its_kind, true) as whole
    from seen s cross join lateral (
      select count(*) as chunks, min(d.number) as first, max(d.number) as last, coalesce(sum(d.size), 0) as bytes,
        count(*) filter (where d.size = c_chunk_bytes) as full_chunks, bool_and(d.sealed = s.personal) as of_its_kind
      from (select k.number, platform.read_chunk_size(k) as size, k.sealed is not null as sealed
        from platform.file_chunks k where k.file_id = s.file_id) d) c
  ), faults as (
    select k.file_id, 'file chunks' as fault from chunked k where not k.expired and not k.whole
    union all
    select k.file_id, 'file charge' from chunked k
      where k.charged_bytes <> k.size_bytes and not (k.expired and k.charged_bytes = 0)
    union all
    select k.file_id, 'file quota' from chunked k
      where not exists (select from platform.file_usage u where u.owner = k.owner)
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.file_id) from seen s order by s.file_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', f.fault, 'row', 'file ' || f.file_id)), '[]') from faults f)
  )::text);
end $$;

-- Checks what the owners' files count for their quotas: p_limit owners after one. Returns what verify_files returns.
create or replace function wallet_api.verify_file_usage(p_after text default null, p_limit integer default 100) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with seen as materialized (
    select u.owner, u.bytes from platform.file_usage u where p_after is null or u.owner > p_after
    order by u.owner limit least(p_limit, 1000)
  ), faults as (
    select s.owner from seen s
    where s.bytes <> (select coalesce(sum(f.charged_bytes), 0) from platform.files f where f.owner = s.owner)
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.owner) from seen s order by s.owner desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'file quota', 'row', 'owner ' || f.owner)), '[]') from faults f)
  )::text);
end $$;

-- Checks that chunks have a file: p_limit chunks after one. Returns what verify_files returns.
create or replace function wallet_api.verify_file_chunks(p_after uuid default null, p_after_number integer default null,
  p_limit integer default 5000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with seen as materialized (
    select c.file_id, c.number from platform.file_chunks c
    where p_after is null or (c.file_id, c.number) > (p_after, p_after_number)
    order by c.file_id, c.number limit least(p_limit, 20000)
  ), faults as (
    select distinct s.file_id from seen s where not exists (select from platform.files f where f.file_id = s.file_id)
  )
  select json_build_object(
    'checked', (select count(*) from seen),
    'next', (select json_build_object('after', s.file_id, 'after_number', s.number)
      from seen s order by s.file_id desc, s.number desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'file of chunk', 'row', 'file ' || f.file_id)), '[]')
      from faults f)
  )::text);
end $$;

-- The bytes of a chunk as the caller sent them. Of a sealed one: without the format's 3 characters, the key's id, the nonce of 12 bytes
-- and the tag of 16. Reads no content: its length is known without it.
create or replace function platform.read_chunk_size(p_chunk platform.file_chunks) returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when p_chunk.sealed is null then octet_length(p_chunk.content)
    else (octet_length(p_chunk.sealed) - 3 - octet_length(p_chunk.key_id)) * 3 / 4 - 28 end
$$;
