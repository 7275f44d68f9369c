-- Writes what rules have made of entries, in a run of the kind rules: {"written": how many entries, or null}. Null: something is no
-- longer as it was read (the list of rules, the parts of one of these entries, how far rules were applied); then nothing is written, and
-- the caller reads again. p_entries: [{"wallet_id","wallet_version","before","after"}], states of parts as read_due_entries has them.
-- p_progress: as of read_due_entries; null: it is none that is due. p_known: the version of the list of rules.
create or replace function wallet_api.write_ruled_parts(p_book_id uuid, p_known bigint, p_entries jsonb, p_progress jsonb, p_run_id uuid,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_old finance.parts[];
  v_count constant integer := jsonb_array_length(p_entries);
begin
  v_old := array(select p from jsonb_to_recordset(p_entries) e (wallet_id uuid, wallet_version bigint)
    join finance.parts p on p.wallet_id = e.wallet_id and p.wallet_version = e.wallet_version);
  if not finance.are_rules_current(p_book_id, p_known, p_entries, p_progress, v_old) then
    return '{"written":null}';
  end if;
  if v_count > 0 then
    perform finance.start_run(p_run_id, p_book_id, 'rules', p_caller);
    perform finance.replace_parts(p_book_id, array(select n from jsonb_to_recordset(p_entries) e (wallet_id uuid, wallet_version bigint,
          after jsonb)
        join unnest(v_old) h on h.wallet_id = e.wallet_id and h.wallet_version = e.wallet_version and h.part = 0,
        unnest(finance.read_part_state(p_book_id, e.wallet_id, e.wallet_version, e.after, h.booked_on, h.pair_id)) n),
      p_run_id, p_caller);
    perform platform.record_change(p_caller, 'rules.applied', p_run_id::text, null,
      jsonb_build_object('run_id', p_run_id, 'book_id', p_book_id, 'entries', v_count), v_book.user_id);
  end if;
  insert into finance.ruled as r (wallet_id, book_id, done_version)
    select w.wallet_id, p_book_id, w.last from jsonb_to_recordset(p_progress) w (wallet_id uuid, last bigint)
    on conflict (wallet_id) do update set done_version = excluded.done_version;
  return json_build_object('written', v_count)::text;
end $$;

-- Whether the rules, the parts of entries, and how far rules were applied are as they were read. The book is locked.
create or replace function finance.are_rules_current(p_book_id uuid, p_known bigint, p_entries jsonb, p_progress jsonb,
  p_now finance.parts[]) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select l.version from finance.rule_lists l where l.book_id = p_book_id), 0) = p_known
    and not exists (select from jsonb_to_recordset(p_progress) w (wallet_id uuid, first bigint)
      where coalesce((select r.done_version from finance.ruled r where r.wallet_id = w.wallet_id), 0) <> w.first)
    and not exists (select from jsonb_to_recordset(p_entries) e (wallet_id uuid, wallet_version bigint, before jsonb)
      left join finance.format_part_states(p_now) s on s.wallet_id = e.wallet_id and s.wallet_version = e.wallet_version
      where s.parts is distinct from e.before);
end $$;
