-- Gives committed events their numbers, and moves them from the outbox to delivery.events. One call at a time does it; while another
-- does, this one returns, at once or after p_wait_ms. p_limit: about how many events; a posting's entries stay together. Returns
-- {numbered, more, changes}: more says that events may still wait; changes has how many of each type were numbered that are no entries.
--
-- The order is that of platform.outbox.sequence. Why the events of a wallet have the order of its versions, and none is missed:
--   1. A posting takes its sequence after it has locked its wallets, and keeps the locks until it has committed. So of two postings
--      of a wallet the later one has the higher version and the higher sequence.
--   2. PostgreSQL makes a commit visible before it releases the locks. So a statement that sees the later one sees the earlier one.
--   3. The statement below numbers the rows that it sees from the lowest sequence on. So the earlier one gets a lower number in the
--      same call, or had one before. A row that becomes visible later, with whatever sequence, waits for a later call.
--   4. Numbers are given under a lock that is kept until they are committed. So they become visible in their order, without gaps,
--      and a reader that continues after a number misses nothing.
-- The ids of transactions have no such order: a call has its id before it has the lock of a wallet.
create or replace function wallet_api.number_events(p_limit integer default 2000, p_wait_ms integer default 0)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_last bigint;
  v_at timestamptz;
  v_numbered bigint;
  v_changes json;
begin
  perform wallet.require_read_committed();
  if not exists (select from platform.outbox) then
    return '{"numbered":0,"more":false}';
  elsif current_setting('transaction_read_only')::boolean then
    return '{"numbered":0,"more":true}';    -- on a standby: the primary does it
  end if;
  select n.last_number, greatest(n.numbered_at, wallet.clock()) into v_last, v_at from delivery.numbering n for update skip locked;
  if not found and p_wait_ms > 0 then
    begin
      perform set_config('lock_timeout', p_wait_ms || 'ms', true);
      select n.last_number, greatest(n.numbered_at, wallet.clock()) into v_last, v_at from delivery.numbering n for update;
    exception when lock_not_available then
      null;
    end;
  end if;
  if v_last is null then
    return '{"numbered":0,"more":true}';
  end if;
  -- A statement of its own: its snapshot is newer than the lock.
  with waiting as (
    select o.*, coalesce(cardinality(o.wallet_ids), 1) as events from platform.outbox o order by o.sequence limit p_limit
  ), taken as materialized (
    select w.* from (select w.*, sum(w.events) over (order by w.sequence) as upto from waiting w) w
    where w.upto - w.events < p_limit
  ), removed as (
    delete from platform.outbox o using taken t where o.sequence = t.sequence
  ), written as (
    insert into delivery.events (number, numbered_at, wallet_version, wallet_id, event_id, event_type, object_id, user_id,
        occurred_at, before, after)
      select v_last + row_number() over (order by t.sequence, e.place), v_at, e.wallet_version, coalesce(e.wallet_id, t.wallet_id),
        t.event_id, t.event_type, t.object_id, t.user_id, t.occurred_at, t.before, t.after
      from taken t left join lateral unnest(t.wallet_ids, t.wallet_versions)
        with ordinality as e (wallet_id, wallet_version, place) on true
      returning event_type
  )
  select coalesce(sum(w.events), 0), coalesce(json_object_agg(w.event_type, w.events) filter (where w.event_type is not null), '{}')
    into v_numbered, v_changes from (select n.event_type, count(*) as events from written n group by n.event_type) w;
  update delivery.numbering n set last_number = v_last + v_numbered, numbered_at = v_at where v_numbered > 0;
  return json_build_object('numbered', v_numbered, 'more', v_numbered >= p_limit, 'changes', v_changes)::text;
end $$;
