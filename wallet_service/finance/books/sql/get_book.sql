-- A book.
create or replace function wallet_api.get_book(p_book_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
begin
  select * into v_book from finance.books b where b.book_id = p_book_id;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_book_id));
  end if;
  return finance.format_book(v_book);
end $$;

-- The id and the owner of a book, which never change: {"book_id","user_id","organization_id"}. By its id, or by its owner: one of the
-- three is given. Every room of the group finance finds its book by this.
create or replace function wallet_api.read_book_owner(p_book_id uuid, p_user_id text, p_organization_id text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
begin
  if p_book_id is not null then
    select * into v_book from finance.books b where b.book_id = p_book_id;
  elsif p_user_id is not null then
    select * into v_book from finance.books b where b.user_id = p_user_id;
  else
    select * into v_book from finance.books b where b.organization_id = p_organization_id;
  end if;
  if v_book.book_id is null then
    perform wallet.refuse_call('book_not_found', case when p_book_id is not null then jsonb_build_object('book_id', p_book_id)
      when p_user_id is not null then jsonb_build_object('user_id', p_user_id)
      else jsonb_build_object('organization_id', p_organization_id) end);
  end if;
  return row_to_json(f)::text from (select v_book.book_id, v_book.user_id, v_book.organization_id) f;
end $$;

-- A page of books, oldest first: a JSON array, and on a line of its own the id after which the next page begins. With p_user_id or
-- p_organization_id that one's; with both, those of both. p_every: without them, all books.
create or replace function wallet_api.list_books(p_user_id text, p_organization_id text, p_every boolean, p_after uuid,
  p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_books finance.books[];
begin
  if p_every then
    v_books := array(select b from finance.books b where p_after is null or b.book_id > p_after
      order by b.book_id limit p_limit + 1);
  else
    v_books := array(select b from finance.books b
      where (b.user_id = p_user_id or b.organization_id = p_organization_id) and (p_after is null or b.book_id > p_after)
      order by b.book_id limit p_limit + 1);
  end if;
  return '[' || coalesce((select string_agg(finance.format_book(v_books[i]), ',' order by i)
      from generate_subscripts(v_books, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_books, 1) > p_limit then v_books[p_limit].book_id::text else '' end;
end $$;

-- The book to which a wallet belongs: its organization's, else its user's; null: there is none. One look-up in an index. The owner
-- of a wallet never changes, so its book does not either.
create or replace function finance.find_book_of_wallet(p_user_id text, p_organization_id text) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if p_organization_id is not null then
    return (select b.book_id from finance.books b where b.organization_id = p_organization_id);
  end if;
  return (select b.book_id from finance.books b where b.user_id = p_user_id);
end $$;
