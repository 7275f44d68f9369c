-- Creates the book of a user or of an organization, once for each key: {"status":"created"|"replayed","book":{…}}. Safe to repeat.
-- p_book: {user_id or organization_id, base_currency, time_zone, month_start_day, week_start, year_start_month}.
create or replace function wallet_api.create_book(p_book_id uuid, p_client_id text, p_key text, p_request_hash text, p_book jsonb,
  p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_spent record;
  v_book finance.books;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_book', p_book_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","book":' || v_spent.response || '}';
  end if;
  perform finance.check_book(p_book);
  insert into finance.books (book_id, user_id, organization_id, base_currency, time_zone, month_start_day, week_start,
      year_start_month, created_at, updated_at)
    values (p_book_id, p_book ->> 'user_id', p_book ->> 'organization_id', p_book ->> 'base_currency', p_book ->> 'time_zone',
      (p_book ->> 'month_start_day')::smallint, finance.find_weekday(p_book ->> 'week_start'),
      (p_book ->> 'year_start_month')::smallint, v_now, v_now)
    on conflict do nothing returning * into v_book;
  if found then
    perform finance.complete_book(p_book_id);
    perform platform.record_change(p_caller, 'book.created', p_book_id::text, null, finance.format_book(v_book)::jsonb,
      v_book.user_id);
  else
    select * into v_book from finance.books b
      where b.user_id = p_book ->> 'user_id' or b.organization_id = p_book ->> 'organization_id';
    if v_book.book_id is distinct from p_book_id then    -- else an earlier sending of this call created it
      perform wallet.refuse_call('book_exists', jsonb_build_object('book_id', v_book.book_id));
    end if;
  end if;
  v_answer := finance.format_book(v_book);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","book":' || v_answer || '}';
end $$;

-- Refuses what is not a currency or a time zone. The service checks all that it can know without the database.
create or replace function finance.check_book(p_book jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_book ? 'base_currency' and not exists (select from wallet.currencies c where c.code = p_book ->> 'base_currency') then
    perform wallet.refuse_call('currency_unknown', jsonb_build_object('currency', left(p_book ->> 'base_currency', 32),
      'similar', wallet.list_similar_currencies(p_book ->> 'base_currency')));
  elsif p_book ? 'time_zone' and not wallet.is_time_zone(p_book ->> 'time_zone') then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/time_zone',
      'must be a name of the IANA time zone database, such as Europe/Berlin'));
  end if;
end $$;

-- The number of a weekday by ISO, 1 for monday.
create or replace function finance.find_weekday(p_name text) returns smallint
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select array_position('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[], p_name)::smallint
$$;

-- The weekday of a number by ISO.
create or replace function finance.name_weekday(p_number integer) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select ('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[])[p_number]
$$;

-- A book as its readers see it.
create or replace function finance.format_book(p_book finance.books) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_book.book_id, p_book.user_id, p_book.organization_id, p_book.base_currency,
    p_book.time_zone, p_book.month_start_day, finance.name_weekday(p_book.week_start) as week_start, p_book.year_start_month,
    p_book.version, wallet.format_time(p_book.created_at) as created_at, wallet.format_time(p_book.updated_at) as updated_at) v);
end $$;

-- Gives a new book what the rooms after this one keep for each. They declare a function for it (Room.hooks), and migrate replaces this
-- one by one that calls them, in the transaction that creates the book.
create or replace function finance.complete_book(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return '{}';
end $$;
