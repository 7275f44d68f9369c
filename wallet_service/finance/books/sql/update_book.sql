-- Changes a book by a merge patch: base_currency, time_zone, month_start_day, week_start, year_start_month. p_version: the version
-- that the caller read, or null. Nothing that is stored is converted: a base currency is that of figures, a time zone that of
-- later rows. With redate, also what was booked before gets its day in the time zone, by a job of p_creator (as platform.enqueue_job).
-- Returns the book, with redate_job_id.
create or replace function wallet_api.update_book(p_book_id uuid, p_version bigint, p_changes jsonb, p_caller jsonb,
  p_creator jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old finance.books;
  v_new finance.books;
  v_job_id uuid;
begin
  perform wallet.require_read_committed();
  select * into v_old from finance.books b where b.book_id = p_book_id for no key update;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_book_id));
  elsif v_old.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('book_id', p_book_id, 'version', v_old.version));
  end if;
  perform finance.check_book(p_changes);
  v_new := v_old;
  v_new.base_currency := coalesce(p_changes ->> 'base_currency', v_old.base_currency);
  v_new.time_zone := coalesce(p_changes ->> 'time_zone', v_old.time_zone);
  v_new.month_start_day := coalesce((p_changes ->> 'month_start_day')::smallint, v_old.month_start_day);
  v_new.week_start := coalesce(finance.find_weekday(p_changes ->> 'week_start'), v_old.week_start);
  v_new.year_start_month := coalesce((p_changes ->> 'year_start_month')::smallint, v_old.year_start_month);
  if (p_changes ->> 'redate')::boolean then
    v_job_id := platform.enqueue_job(wallet.new_id(), finance.find_redate_job(p_book_id) ->> 'type',
      jsonb_build_object('book_id', p_book_id), p_creator);
  end if;
  if v_new is not distinct from v_old then
    return finance.format_changed_book(v_old, v_job_id);
  end if;
  update finance.books b set base_currency = v_new.base_currency, time_zone = v_new.time_zone,
      month_start_day = v_new.month_start_day, week_start = v_new.week_start, year_start_month = v_new.year_start_month,
      version = b.version + 1, updated_at = wallet.clock()
    where b.book_id = p_book_id returning * into v_new;
  perform platform.record_change(p_caller, 'book.updated', p_book_id::text, finance.format_book(v_old)::jsonb,
    finance.format_book(v_new)::jsonb, v_new.user_id);
  return finance.format_changed_book(v_new, v_job_id);
end $$;

-- A book as who changed it sees it: with the job that redates what was booked before, or null.
create or replace function finance.format_changed_book(p_book finance.books, p_job_id uuid) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return left(finance.format_book(p_book), -1) || ',"redate_job_id":' || coalesce(to_json(p_job_id)::text, 'null') || '}';
end $$;

-- The type of the jobs that redate what was booked before, as {"type"}. The room that has days declares a function for it (Room.hooks),
-- and migrate replaces this one by one that calls it.
create or replace function finance.find_redate_job(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return '{}';
end $$;
