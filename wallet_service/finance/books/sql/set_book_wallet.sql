-- Sets what a wallet of a book is for; null: nothing. Returns the wallet as list_book_wallets does.
create or replace function wallet_api.set_book_wallet(p_book_id uuid, p_wallet_id uuid, p_purpose text, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets;
  v_old finance.book_wallets;
begin
  perform wallet.require_read_committed();
  -- Two that set the purpose of one wallet: events have the order of the changes.
  perform from finance.books b where b.book_id = p_book_id for no key update;
  select * into v_wallet from wallet.wallets w where w.wallet_id = p_wallet_id;
  if v_wallet.wallet_id is null
      or finance.find_book_of_wallet(v_wallet.user_id, v_wallet.organization_id) is distinct from p_book_id then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  select * into v_old from finance.book_wallets m where m.book_id = p_book_id and m.wallet_id = p_wallet_id;
  if v_old.purpose is distinct from p_purpose then
    if p_purpose is null then
      delete from finance.book_wallets m where m.book_id = p_book_id and m.wallet_id = p_wallet_id;
    else
      insert into finance.book_wallets as m (book_id, wallet_id, purpose, updated_at)
        values (p_book_id, p_wallet_id, p_purpose, wallet.clock())
        on conflict (book_id, wallet_id) do update set purpose = excluded.purpose, updated_at = excluded.updated_at;
    end if;
    perform platform.record_change(p_caller, 'book_wallet.updated', p_wallet_id::text,
      finance.format_book_wallet(v_wallet, p_book_id, v_old.purpose)::jsonb,
      finance.format_book_wallet(v_wallet, p_book_id, p_purpose)::jsonb, v_wallet.user_id, p_wallet_id);
  end if;
  return finance.format_book_wallet(v_wallet, p_book_id, p_purpose);
end $$;

-- A wallet as a member of a book.
create or replace function finance.format_book_wallet(p_wallet wallet.wallets, p_book_id uuid, p_purpose text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_book_id as book_id, p_wallet.wallet_id, p_wallet.user_id, p_wallet.name,
    p_wallet.currency, p_wallet.keeping, p_wallet.status, p_purpose as purpose) v);
end $$;

-- A page of the wallets of a book, oldest first: a JSON array, and on a line of its own the id after which the next page begins.
create or replace function wallet_api.list_book_wallets(p_book_id uuid, p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
  v_wallets wallet.wallets[];
begin
  select * into v_book from finance.books b where b.book_id = p_book_id;
  if v_book.organization_id is not null then
    v_wallets := array(select w from wallet.wallets w
      where w.organization_id = v_book.organization_id and (p_after is null or w.wallet_id > p_after)
      order by w.wallet_id limit p_limit + 1);
  else
    v_wallets := array(select w from wallet.wallets w
      where w.user_id = v_book.user_id and w.organization_id is null and (p_after is null or w.wallet_id > p_after)
      order by w.wallet_id limit p_limit + 1);
  end if;
  return '[' || coalesce((select string_agg(finance.format_book_wallet(v_wallets[i], p_book_id, m.purpose), ',' order by i)
      from generate_subscripts(v_wallets, 1) i
        left join finance.book_wallets m on m.book_id = p_book_id and m.wallet_id = (v_wallets[i]).wallet_id
      where i <= p_limit), '') || E']\n'
    || case when array_length(v_wallets, 1) > p_limit then v_wallets[p_limit].wallet_id::text else '' end;
end $$;
