-- Takes a run back, at most p_limit entries in a call; call it until it is done. An entry gets what it had before the run: its parts,
-- where they are as the run left them, and its day likewise. What was edited after the run stays, and is listed. Returns {"run_id",
-- "undo_run_id","restored","kept":[{"wallet_id","wallet_version"}] (1,000 at most),"done"}. p_undo_run_id: the run that takes it back,
-- which can be taken back itself. A run that was taken back returns what it came to.
create or replace function wallet_api.undo_run(p_run_id uuid, p_book_id uuid, p_undo_run_id uuid, p_limit integer, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_run finance.runs;
  v_plan record;
begin
  select * into v_run from finance.runs r where r.run_id = p_run_id and r.book_id = v_book.book_id;
  if not found then
    perform wallet.refuse_call('run_not_found', jsonb_build_object('run_id', p_run_id));
  elsif v_run.undone_at is not null then
    return finance.format_undo(v_run);
  end if;
  v_run.undo_run_id := coalesce(v_run.undo_run_id, p_undo_run_id);
  perform finance.start_run(v_run.undo_run_id, p_book_id, 'undo', p_caller);
  if v_run.kind = 'pair' and v_run.undone_after is null then
    perform finance.dissolve_pairs(p_book_id, array(select o.pair_id from finance.pairs o
      where o.book_id = p_book_id and o.state = 'paired' and o.run_id = p_run_id), v_run.undo_run_id, p_caller);
  end if;
  select * into v_plan from finance.plan_undo(v_run, p_limit);
  perform finance.replace_parts(p_book_id, finance.mend_labels(p_book_id, v_plan.parts), v_run.undo_run_id, p_caller);
  update finance.runs r set undo_run_id = v_run.undo_run_id, restored = r.restored + v_plan.restored,
      kept = case when jsonb_array_length(r.kept) < 1000 then r.kept || v_plan.kept else r.kept end,
      undone_after = coalesce(v_plan.last, r.undone_after), undone_at = case when v_plan.is_last then wallet.clock() end
    where r.run_id = p_run_id returning * into v_run;
  if v_plan.is_last then
    perform platform.record_change(p_caller, 'run.undone', p_run_id::text, null, finance.format_run(v_run)::jsonb, v_book.user_id);
  end if;
  return finance.format_undo(v_run);
end $$;

-- What taking back the next p_limit entries of a run does: the parts that are written, how many entries they are, the entries that
-- stay, and how far that is.
create or replace function finance.plan_undo(p_run finance.runs, p_limit integer, out parts finance.parts[], out restored integer,
  out kept jsonb, out last text, out is_last boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  c_after constant text := coalesce(p_run.undone_after, '00000000-0000-0000-0000-000000000000/0');
begin
  with changed as materialized (
    select c.wallet_id, c.wallet_version, (array_agg(c.before order by c.change_id))[1] as before,
      (array_agg(c.after order by c.change_id desc))[1] as after
    from finance.part_changes c where c.run_id = p_run.run_id
      and (c.wallet_id, c.wallet_version) > (split_part(c_after, '/', 1)::uuid, split_part(c_after, '/', 2)::bigint)
    group by c.wallet_id, c.wallet_version order by c.wallet_id, c.wallet_version limit p_limit
  ), seen as materialized (
    select c.wallet_id, c.wallet_version, c.before, c.after, s.parts as now, p.parts[1].pair_id as pair_id,
      finance.drop_days(c.before) as before_parts, finance.drop_days(c.after) as after_parts, finance.drop_days(s.parts) as now_parts,
      c.before -> 0 ->> 'booked_on' as before_day, c.after -> 0 ->> 'booked_on' as after_day, s.parts -> 0 ->> 'booked_on' as now_day
    from changed c
      cross join lateral (select array_agg(q order by q.part) as parts from finance.parts q
        where q.wallet_id = c.wallet_id and q.wallet_version = c.wallet_version) p
      cross join lateral finance.format_part_states(p.parts) s
  ), judged as materialized (
    select s.*, (s.before_parts <> s.after_parts and s.now_parts <> s.after_parts)
      or (s.before_day <> s.after_day and s.now_day <> s.after_day) as is_kept
    from seen s
  )
  select (select array_agg(n order by n.wallet_id, n.wallet_version, n.part) from judged j
      cross join lateral unnest(finance.read_part_state(p_run.book_id, j.wallet_id, j.wallet_version,
        case when j.before_parts <> j.after_parts then j.before else j.now end,
        case when j.before_day <> j.after_day then j.before_day else j.now_day end::date, j.pair_id)) n
      where not j.is_kept),
    (select count(*) from judged j where not j.is_kept),
    coalesce((select jsonb_agg(jsonb_build_object('wallet_id', j.wallet_id, 'wallet_version', j.wallet_version)
      order by j.wallet_id, j.wallet_version) from judged j where j.is_kept), '[]'),
    (select j.wallet_id || '/' || j.wallet_version from judged j order by j.wallet_id desc, j.wallet_version desc limit 1),
    (select count(*) from judged) < p_limit
    into parts, restored, kept, last, is_last;
end $$;

-- A kept state of an entry without its day.
create or replace function finance.drop_days(p_state jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return (select jsonb_agg(s.value - 'booked_on' order by s.ordinality) from jsonb_array_elements(p_state) with ordinality s);
end $$;

create or replace function finance.format_undo(p_run finance.runs) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_run.run_id, p_run.undo_run_id, p_run.restored, p_run.kept,
    p_run.undone_at is not null as done) v);
end $$;

-- A run, with its book, by which the service decides who sees it: {"run_id","book_id","kind","actor","created_at","undo_run_id",
-- "undone_at"}.
create or replace function wallet_api.get_run(p_run_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_run finance.runs;
begin
  select * into v_run from finance.runs r where r.run_id = p_run_id;
  if not found then
    perform wallet.refuse_call('run_not_found', jsonb_build_object('run_id', p_run_id));
  end if;
  return finance.format_run(v_run);
end $$;

create or replace function finance.format_run(p_run finance.runs) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_run.run_id, p_run.book_id, p_run.kind, p_run.actor,
    wallet.format_time(p_run.created_at) as created_at, p_run.undo_run_id, wallet.format_time(p_run.undone_at) as undone_at) v);
end $$;
