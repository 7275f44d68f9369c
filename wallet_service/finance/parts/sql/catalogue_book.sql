-- Catalogues entries of a book that have no parts yet, at most p_limit of them: {"written","pending"}. Each entry gets its parts once,
-- in the order of its wallet. Waits for other writers of the book; if one takes too long, nothing is written.
create or replace function wallet_api.catalogue_book(p_book_id uuid, p_limit integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books;
  v_pending bigint := finance.count_pending_entries(p_book_id);
  v_written integer := 0;
begin
  perform wallet.require_read_committed();
  if v_pending > 0 and p_limit > 0 then
    begin
      select * into v_book from finance.books b where b.book_id = p_book_id for no key update;
      v_written := finance.catalogue_entries(v_book, least(p_limit, 10000));
    exception when lock_not_available then
      v_written := 0;
    end;
    v_pending := finance.count_pending_entries(p_book_id);
  end if;
  return json_build_object('written', v_written, 'pending', v_pending)::text;
end $$;

-- How many entries of a book have no parts yet: {"pending"}. Writes nothing.
create or replace function wallet_api.read_pending_entries(p_book_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return json_build_object('pending', finance.count_pending_entries(p_book_id))::text;
end $$;

create or replace function finance.count_pending_entries(p_book_id uuid) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  return (select coalesce(sum(w.last_entry - coalesce(k.done_version, 0)), 0)
    from finance.list_wallets_of_book(p_book_id) w left join finance.catalogued k on k.wallet_id = w.wallet_id);
end $$;

-- The wallets that belong to a book.
create or replace function finance.list_wallets_of_book(p_book_id uuid) returns setof wallet.wallets
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_book finance.books;
begin
  select * into v_book from finance.books b where b.book_id = p_book_id;
  if v_book.organization_id is not null then
    return query select w.* from wallet.wallets w where w.organization_id = v_book.organization_id;
  else
    return query select w.* from wallet.wallets w where w.user_id = v_book.user_id and w.organization_id is null;
  end if;
end $$;

-- The books, of p_limit after p_after, that have entries without parts: {"books":[{"book_id","pending"}],"next"}. The job that
-- catalogues what was missed walks them.
create or replace function wallet_api.list_pending_books(p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (with page as materialized (
    select b.book_id, finance.count_pending_entries(b.book_id) as pending from finance.books b
    where p_after is null or b.book_id > p_after order by b.book_id limit least(p_limit, 1000)
  )
  select json_build_object(
    'books', (select coalesce(json_agg(json_build_object('book_id', p.book_id, 'pending', p.pending) order by p.book_id), '[]')
      from page p where p.pending > 0),
    'next', (select p.book_id from page p order by p.book_id desc limit 1))::text);
end $$;
