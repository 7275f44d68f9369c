-- A job as callers see it. p_client_id: null, or the only creator whose jobs the caller sees. Refuses one that does not exist for it.
create or replace function wallet_api.get_job(p_job_id uuid, p_client_id text default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_job text;
begin
  select platform.format_job(j) into v_job from platform.jobs j
    where j.job_id = p_job_id and (p_client_id is null or j.client_id = p_client_id);
  if v_job is null then
    perform wallet.refuse_call('job_not_found');
  end if;
  return v_job;
end $$;

-- A page of jobs, newest first: a JSON array, and on a line of its own the id after which the next page begins. p_status: a status,
-- or 'due' for jobs that wait for a worker. p_client_id: as of get_job. A page ends before it has more than 768 KiB: results are large.
create or replace function wallet_api.list_jobs(p_client_id text default null, p_status text default null, p_type text default null,
  p_after uuid default null, p_limit integer default 50) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_most_bytes constant integer := 786432;
begin
  return (
    with found as materialized (
      select g.job_id, platform.format_job(g) as document from platform.jobs g
      where (p_client_id is null or g.client_id = p_client_id) and (p_type is null or g.type = p_type)
        and (p_status is null or g.status = case p_status when 'due' then 'queued' else p_status end)
        and (p_status is distinct from 'due' or g.due_at <= wallet.clock())
        and (p_after is null or g.job_id < p_after)
      order by g.job_id desc limit p_limit
    ), page as materialized (
      select m.job_id, m.document from (select f.*, sum(octet_length(f.document)) over w as bytes, row_number() over w as place
        from found f window w as (order by f.job_id desc)) m
      where m.bytes <= c_most_bytes or m.place = 1
    )
    select '[' || coalesce(string_agg(p.document, ',' order by p.job_id desc), '') || ']' || E'\n'
      || coalesce(case when count(*) = p_limit or count(*) < (select count(*) from found)
        then (array_agg(p.job_id order by p.job_id))[1]::text end, '')
    from page p);
end $$;
