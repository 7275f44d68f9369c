-- A page of the audit trail, newest first: the entries as a JSON array, a line end, and the position after which the next page begins
-- (nothing on the last one): [recorded_at, sequence]. p_filters: actor, client_id, action, object_id, user_id, request_id, from, to;
-- all of them must match. One call reads at most 5,000 entries by the narrowest filter that has an index: a page may be short or
-- empty without being the last. It also ends before it has more than 768 KiB.
create or replace function wallet_api.list_audit_entries(p_filters jsonb default '{}', p_before_at timestamptz default null,
  p_before_sequence bigint default null, p_limit integer default 50) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  c_most_rows constant integer := 5000;
  c_most_bytes constant integer := 786432;
  v_rows integer;    -- that are read: with other filters than those of the index, many to find a few
  f constant jsonb := p_filters;
  v_by text := coalesce((select n from unnest('{request_id,object_id,user_id,action,actor}'::text[]) with ordinality a (n, place)
    where f ? n order by place limit 1), 'time');
  v_value text := f ->> v_by;
  v_from timestamptz := coalesce(wallet.read_time(f ->> 'from'), '-infinity');
  v_at timestamptz := coalesce(p_before_at, wallet.read_time(f ->> 'to'), 'infinity');
  v_sequence bigint := coalesce(p_before_sequence, 0);    -- which is below every sequence
  v_page text;
begin
  v_rows := case when f - v_by - 'from' - 'to' = '{}' then p_limit + 1 else c_most_rows end;
  with seen as materialized (
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'request_id' and a.request_id = v_value
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
    union all
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'object_id' and a.object_id = v_value
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
    union all
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'user_id' and a.user_id = v_value
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
    union all
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'action' and a.action = v_value
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
    union all
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'actor' and a.actor = v_value
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
    union all
    (select a.recorded_at, a.sequence from platform.audit_entries a where v_by = 'time'
      and (a.recorded_at, a.sequence) < (v_at, v_sequence) and a.recorded_at >= v_from
      order by a.recorded_at desc, a.sequence desc limit v_rows)
  ), chosen as materialized (
    select s.recorded_at, s.sequence
    from seen s join platform.audit_entries a on a.sequence = s.sequence
    where (f ->> 'object_id' = a.object_id) is not false and (f ->> 'user_id' is null or a.user_id = f ->> 'user_id')
      and (f ->> 'actor' = a.actor) is not false and (f ->> 'action' = a.action) is not false
      and (f ->> 'client_id' is null or a.client_id = f ->> 'client_id')
      and (f ->> 'request_id' is null or a.request_id = f ->> 'request_id')
    order by s.recorded_at desc, s.sequence desc limit p_limit + 1
  ), numbered as (
    select c.*, row_number() over (order by c.recorded_at desc, c.sequence desc) as place from chosen c
  ), shown as materialized (
    select c.*, delivery.format_audit_entry(a) as document
    from numbered c join platform.audit_entries a on a.sequence = c.sequence where c.place <= p_limit
  ), page as materialized (
    select m.* from (select s.*, sum(octet_length(s.document)) over (order by s.place) as bytes from shown s) m
    where m.bytes <= c_most_bytes or m.place = 1
  )
  select '[' || coalesce((select string_agg(p.document, ',' order by p.place) from page p), '') || E']\n'
    || coalesce(case when (select count(*) from page) < (select count(*) from chosen)
        then (select json_build_array(wallet.format_time(p.recorded_at), p.sequence)::text from page p order by p.place desc limit 1)
      when v_rows = c_most_rows and (select count(*) from seen) = v_rows
        then (select json_build_array(wallet.format_time(s.recorded_at), s.sequence)::text from seen s
          order by s.recorded_at, s.sequence limit 1) end, '')
    into v_page;
  return v_page;
end $$;

-- An entry as callers see it.
create or replace function delivery.format_audit_entry(p_entry platform.audit_entries) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select row_to_json(v)::text from (select p_entry.sequence as sequence, wallet.format_time(p_entry.recorded_at) as recorded_at,
    p_entry.actor as actor, p_entry.on_behalf_of as on_behalf_of, p_entry.client_id as client_id, p_entry.address as address,
    p_entry.session_id as session_id, p_entry.user_agent as user_agent, p_entry.request_id as request_id, p_entry.action as action,
    p_entry.object_id as object_id, p_entry.user_id as user_id, p_entry.event_id as event_id, p_entry.changed as changed,
    p_entry.before as before, p_entry.after as after) v
$$;
