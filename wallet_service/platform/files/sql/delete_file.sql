-- Deletes a file of the owner, or an upload if p_complete is false. Returns whether there was one. The quota is free and the file not
-- found at once; delete_expired_files removes its rows.
create or replace function wallet_api.delete_file(p_owner text, p_file_id uuid, p_complete boolean default true,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  return platform.release_file(p_owner, p_file_id, p_complete, p_caller)::text;
end $$;

-- Lets a file expire now, and gives its bytes back to the quota of its owner.
create or replace function platform.release_file(p_owner text, p_file_id uuid, p_complete boolean, p_caller jsonb default null)
returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_file platform.files;
begin
  select * into v_file from platform.files f where f.file_id = p_file_id and f.owner = p_owner and f.complete = p_complete
    and f.expires_at > wallet.clock() for update;
  if not found then
    return false;
  end if;
  update platform.files f set expires_at = wallet.clock(), charged_bytes = 0 where f.file_id = p_file_id;
  update platform.file_usage u set bytes = u.bytes - v_file.charged_bytes where u.owner = p_owner;
  if p_complete then
    perform platform.record_file_change(p_caller, 'file.deleted', v_file);
  end if;
  return true;
end $$;

-- Removes files that have expired, were deleted or given up: at most p_limit chunks, and files without chunks. Returns {"files","chunks",
-- "more"}; more: call it again. Who calls it only hastens what is due, so an expiry is recorded as one by the service. Sessions that call it at the same time share the work. Locks go files, then usage in owner order.
create or replace function wallet_api.delete_expired_files(p_limit integer default 200) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  c_most_files constant integer := 100;
  v_ids uuid[];
  v_owner record;
  v_chunks integer;
  v_files integer := 0;
  v_file platform.files;
begin
  select coalesce(array_agg(e.file_id), '{}') into v_ids from (
    select f.file_id from platform.files f where f.expires_at <= wallet.clock()
    order by f.expires_at, f.file_id limit c_most_files for update skip locked) e;
  for v_owner in select f.owner, sum(f.charged_bytes) as bytes from platform.files f
      where f.file_id = any (v_ids) and f.charged_bytes > 0 group by f.owner order by f.owner loop
    update platform.file_usage u set bytes = u.bytes - v_owner.bytes where u.owner = v_owner.owner;
  end loop;
  update platform.files f set charged_bytes = 0 where f.file_id = any (v_ids) and f.charged_bytes > 0;
  delete from platform.file_chunks c using (
      select d.file_id, d.number from platform.file_chunks d where d.file_id = any (v_ids)
      order by d.file_id, d.number limit p_limit) e
    where c.file_id = e.file_id and c.number = e.number;
  get diagnostics v_chunks = row_count;
  for v_file in delete from platform.files f where f.file_id = any (v_ids)
      and not exists (select from platform.file_chunks c where c.file_id = f.file_id) returning f.* loop
    v_files := v_files + 1;
    if v_file.complete and v_file.expires_at = v_file.keep_until then    -- not one that was deleted, or did not arrive whole
      perform platform.record_file_change('{"actor": "service"}', 'file.expired', v_file);
    end if;
  end loop;
  return json_build_object('files', v_files, 'chunks', v_chunks,
    'more', v_chunks >= p_limit or cardinality(v_ids) >= c_most_files)::text;
end $$;

-- Records that a file was created, was deleted or has expired. p_file: the file while it exists.
create or replace function platform.record_file_change(p_caller jsonb, p_type text, p_file platform.files) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_file jsonb := platform.format_file(p_file)::jsonb || jsonb_build_object('owner', p_file.owner);
begin
  perform platform.record_change(p_caller, p_type, p_file.file_id::text, case when p_type <> 'file.created' then v_file end,
    case when p_type = 'file.created' then v_file end,
    case when left(p_file.owner, 5) = 'user:' then substr(p_file.owner, 6) end);
end $$;
