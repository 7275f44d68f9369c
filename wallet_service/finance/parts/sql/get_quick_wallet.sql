-- The wallet in which an income or expense of a book is noted, where the request names none: the primary one of the currency (null:
-- that of the book) or else the oldest one, of those that are open. The mirrored one; an operating one only if there is no mirrored
-- one. With a key that the client spent on a wallet of the book in this currency, that wallet: a request that is sent again is the
-- same request. Refuses the call where there is none.
create or replace function wallet_api.get_quick_wallet(p_book_id uuid, p_currency text, p_client_id text, p_key text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
  v_wallet_id uuid;
  v_spent_on constant uuid := (select t.wallet_id from wallet.idempotency i
    join wallet.wallet_transactions t on t.transaction_id = i.transaction_id and t.leg = 0
    where i.client_id = p_client_id and i.key = p_key);
begin
  select * into v_book from finance.books b where b.book_id = p_book_id;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_book_id));
  end if;
  p_currency := coalesce(p_currency, v_book.base_currency);
  select w.wallet_id into v_wallet_id from wallet.wallets w
    where (w.user_id = v_book.user_id and w.organization_id is null or w.organization_id = v_book.organization_id)
      and w.currency = p_currency and (w.status <> 'closed' or w.wallet_id = v_spent_on)
    order by w.wallet_id = v_spent_on desc nulls last, w.keeping = 'mirrored' desc, w.is_primary desc, w.wallet_id limit 1;
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_strip_nulls(jsonb_build_object('user_id', v_book.user_id,
      'currency', p_currency)));
  end if;
  return finance.format_wallet_owner(v_wallet_id);
end $$;

-- Whose a wallet is, and its book: {wallet_id, user_id, organization_id, currency, keeping, book_id}; book_id is null where its owner
-- has no book.
create or replace function wallet_api.read_wallet_owner(p_wallet_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_owner constant text := finance.format_wallet_owner(p_wallet_id);
begin
  if v_owner is null then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  return v_owner;
end $$;

-- As wallet_api.read_wallet_owner; null where there is no such wallet.
create or replace function finance.format_wallet_owner(p_wallet_id uuid) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select json_build_object('wallet_id', w.wallet_id, 'user_id', w.user_id, 'organization_id', w.organization_id,
      'currency', w.currency, 'keeping', w.keeping, 'book_id', finance.find_book_of_wallet(w.user_id, w.organization_id))::text
    from wallet.wallets w where w.wallet_id = p_wallet_id
$$;

-- The type of the jobs that redate the parts of a book, for the room books.
create or replace function finance.name_redate_job(p_id uuid) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select '{"type": "redate_parts"}'::jsonb
$$;
