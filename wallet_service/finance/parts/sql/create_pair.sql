-- Pairs a debit with a credit in another wallet of the book: {"pair_id","book_id","state","is_automatic","debit":{wallet_id,
-- wallet_version, currency, amount, booked_on},"credit":{…},"created_at"}. Amounts and currencies may differ: fees, other currencies.
-- The pair of the same entries is returned if it is there. Refuses with pair_exists where one of them is in another pair. p_pair:
-- {debit: {wallet_id, wallet_version}, credit: {…}}.
create or replace function wallet_api.create_pair(p_pair_id uuid, p_book_id uuid, p_pair jsonb, p_run_id uuid, p_caller jsonb)
returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_debit finance.parts[] := finance.find_side(v_book, p_pair -> 'debit', '/debit', -1);
  v_credit finance.parts[] := finance.find_side(v_book, p_pair -> 'credit', '/credit', 1);
  v_pair finance.pairs;
begin
  if v_debit[1].wallet_id = v_credit[1].wallet_id then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/credit/wallet_id', 'must be another wallet than that of the debit'));
  elsif v_debit[1].pair_id = v_credit[1].pair_id then
    return finance.format_pair((select o from finance.pairs o where o.pair_id = v_debit[1].pair_id));
  elsif coalesce(v_debit[1].pair_id, v_credit[1].pair_id) is not null then
    perform wallet.refuse_call('pair_exists', jsonb_build_object('pair_id', coalesce(v_debit[1].pair_id, v_credit[1].pair_id)));
  end if;
  v_pair := row(p_pair_id, p_book_id, v_debit[1].wallet_id, v_debit[1].wallet_version, v_credit[1].wallet_id,
    v_credit[1].wallet_version, 'paired', false, p_run_id, wallet.clock(), wallet.clock())::finance.pairs;
  perform finance.start_run(p_run_id, p_book_id, 'pair', p_caller);
  perform finance.join_pairs(p_book_id, array[v_pair], p_run_id, p_caller);
  select o.* into strict v_pair from finance.pairs o where o.book_id = p_book_id and o.debit_wallet_id = v_pair.debit_wallet_id
    and o.debit_version = v_pair.debit_version and o.credit_wallet_id = v_pair.credit_wallet_id
    and o.credit_version = v_pair.credit_version;
  perform finance.record_pair(p_caller, 'pair.created', null, finance.format_pair(v_pair)::jsonb);
  return finance.format_pair(v_pair);
end $$;

-- The parts of one side of a pair. p_sign: of its amount.
create or replace function finance.find_side(p_book finance.books, p_side jsonb, p_pointer text, p_sign integer) returns finance.parts[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_parts finance.parts[];
begin
  if not exists (select from finance.catalogued k where k.wallet_id = (p_side ->> 'wallet_id')::uuid
      and k.done_version >= (p_side ->> 'wallet_version')::bigint) then
    perform finance.catalogue_entries(p_book, 2000);
  end if;
  v_parts := finance.find_entry_parts(p_book.book_id, (p_side ->> 'wallet_id')::uuid, (p_side ->> 'wallet_version')::bigint);
  if sign((select sum(p.amount) from unnest(v_parts) p)) <> p_sign then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(p_pointer,
      'must be an entry that ' || case when p_sign < 0 then 'debits' else 'credits' end || ' its wallet'));
  end if;
  return v_parts;
end $$;

-- Dissolves a pair, or dismisses a suggestion: the service never makes or suggests it again. Parts that no person set are no transfers
-- any more.
create or replace function wallet_api.delete_pair(p_pair_id uuid, p_book_id uuid, p_run_id uuid, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books := finance.lock_book(p_book_id);
  v_before jsonb;
begin
  select finance.format_pair(o)::jsonb into v_before from finance.pairs o
    where o.pair_id = p_pair_id and o.book_id = v_book.book_id and o.state <> 'dismissed';
  if not found then
    perform wallet.refuse_call('pair_not_found', jsonb_build_object('pair_id', p_pair_id));
  end if;
  if v_before ->> 'state' = 'paired' then
    perform finance.start_run(p_run_id, p_book_id, 'pair', p_caller);
  end if;
  perform finance.dissolve_pairs(p_book_id, array[p_pair_id], p_run_id, p_caller);
  perform finance.record_pair(p_caller, 'pair.deleted', v_before, null);
  return 'true';
end $$;

-- A pair or suggestion with its book, by which the service decides who sees it.
create or replace function wallet_api.get_pair(p_pair_id uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_pair finance.pairs;
begin
  select * into v_pair from finance.pairs o where o.pair_id = p_pair_id and o.state <> 'dismissed';
  if not found then
    perform wallet.refuse_call('pair_not_found', jsonb_build_object('pair_id', p_pair_id));
  end if;
  return finance.format_pair(v_pair);
end $$;

-- A page of the pairs ('paired') or suggestions ('suggested') of a book, oldest first: a JSON array, and on a line of its own the id
-- after which the next page begins.
create or replace function wallet_api.list_pairs(p_book_id uuid, p_state text, p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  c_first constant uuid := '00000000-0000-0000-0000-000000000000';
  v_pairs finance.pairs[];
begin
  v_pairs := array(select o from finance.pairs o where o.book_id = p_book_id and o.state = p_state
      and (o.book_id, o.state, o.pair_id) > (p_book_id, p_state, coalesce(p_after, c_first))
    order by o.pair_id limit p_limit + 1);
  return '[' || coalesce((select string_agg(finance.format_pair(v_pairs[i]), ',' order by i)
      from generate_subscripts(v_pairs, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_pairs, 1) > p_limit then v_pairs[p_limit].pair_id::text else '' end;
end $$;

create or replace function finance.format_pair(p_pair finance.pairs) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_pair.pair_id, p_pair.book_id, p_pair.state, p_pair.is_automatic,
    finance.format_side(p_pair.debit_wallet_id, p_pair.debit_version) as debit,
    finance.format_side(p_pair.credit_wallet_id, p_pair.credit_version) as credit,
    wallet.format_time(p_pair.created_at) as created_at) v);
end $$;

create or replace function finance.format_side(p_wallet_id uuid, p_version bigint) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v) from (select t.wallet_id, t.wallet_version, t.transaction_id, t.currency,
      wallet.format_amount(case t.direction when 'credit' then t.amount else -t.amount end, c.exponent) as amount, p.booked_on
    from wallet.wallet_transactions t join wallet.currencies c on c.code = t.currency
      join finance.parts p on p.wallet_id = t.wallet_id and p.wallet_version = t.wallet_version and p.part = 0
    where t.wallet_id = p_wallet_id and t.wallet_version = p_version) v);
end $$;

create or replace function finance.record_pair(p_caller jsonb, p_type text, p_before jsonb, p_after jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_pair constant jsonb := coalesce(p_after, p_before);
  v_user_id constant text := (select b.user_id from finance.books b where b.book_id = (v_pair ->> 'book_id')::uuid);
begin
  perform platform.record_change(p_caller, p_type, v_pair ->> 'pair_id', p_before, p_after, v_user_id);
end $$;
