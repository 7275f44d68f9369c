-- Removes at most p_limit events that got their numbers more than p_keep_days days ago, the oldest first. Returns {deleted, more}.
create or replace function wallet_api.delete_old_events(p_keep_days integer, p_limit integer default 5000) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_before constant timestamptz := wallet.clock() - make_interval(days => greatest(p_keep_days, 1));
  v_oldest bigint;
  v_deleted bigint;
begin
  perform wallet.require_read_committed();
  select n.oldest_number into v_oldest from delivery.numbering n where exists (
    select from delivery.events e where e.number = n.oldest_number and e.numbered_at < v_before);
  if found then
    select n.oldest_number into v_oldest from delivery.numbering n for update skip locked;
  end if;
  if v_oldest is null then
    return '{"deleted":0,"more":false}';
  end if;
  -- numbered_at never decreases, so what is removed is the beginning.
  delete from delivery.events e where e.number >= v_oldest and e.number < v_oldest + p_limit and e.numbered_at < v_before;
  get diagnostics v_deleted = row_count;
  update delivery.numbering n set oldest_number = v_oldest + v_deleted, complete_since = greatest(n.complete_since, v_before);
  return json_build_object('deleted', v_deleted, 'more', v_deleted = p_limit)::text;
end $$;
