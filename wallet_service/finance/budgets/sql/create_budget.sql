-- Creates a budget, once for each key: {"status":"created"|"replayed","budget":{…}}. Safe to repeat. p_budget: {book_id, name, amount,
-- currency (null: the book's), period, start_date, end_date, wallet_ids, category_ids, items: [{category_id, amount}], carry, carry_cap,
-- prorate, tiers}. p_limit: how many a book may have.
create or replace function wallet_api.create_budget(p_budget_id uuid, p_client_id text, p_key text, p_request_hash text, p_budget jsonb,
  p_limit integer, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_spent record;
  v_book finance.books;
  v_budget finance.budgets;
  v_answer text;
begin
  perform wallet.require_read_committed();
  v_spent := platform.spend_key(p_client_id, p_key, 'create_budget', p_budget_id, decode(p_request_hash, 'hex'));
  if v_spent.status <> 'new' then
    return '{"status":"' || v_spent.status || '","budget":' || v_spent.response || '}';
  end if;
  select * into v_book from finance.books b where b.book_id = (p_budget ->> 'book_id')::uuid for no key update;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_budget ->> 'book_id'));
  end if;
  select * into v_budget from finance.budgets b where b.budget_id = p_budget_id;
  if not found then    -- else an earlier sending of this call created it
    if (select count(*) from finance.budgets b where b.book_id = v_book.book_id) >= p_limit then
      perform wallet.refuse_call('budget_limit', jsonb_build_object('limit', p_limit));
    end if;
    v_budget := finance.read_budget(p_budget, v_book, p_budget_id);
    insert into finance.budgets select v_budget.*;
    perform finance.write_budget_items(v_budget, p_budget -> 'items');
    perform platform.record_change(p_caller, 'budget.created', p_budget_id::text, null, finance.format_budget(v_budget)::jsonb,
      v_book.user_id);
  end if;
  v_answer := finance.format_budget(v_budget);
  perform platform.keep_response(p_client_id, p_key, v_answer);
  return '{"status":"created","budget":' || v_answer || '}';
end $$;

-- A budget as the caller wrote it. Refuses what the book does not have. The book is locked.
create or replace function finance.read_budget(p_budget jsonb, p_book finance.books, p_budget_id uuid) returns finance.budgets
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_today constant date := finance.find_book_day(v_now, p_book.time_zone);
  v_currency constant text := coalesce(p_budget ->> 'currency', p_book.base_currency);
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = v_currency);
  v_start constant date := (p_budget ->> 'start_date')::date;
  c_most_periods constant integer := 4000;    -- before today: each read folds them all
  v_fault text;
begin
  if v_start + c_most_periods * (case p_budget ->> 'period' when 'daily' then 1 when 'weekly' then 7 end) < v_today
      and not exists (select from finance.budgets b where b.budget_id = p_budget_id and b.start_date = v_start
        and b.period = p_budget ->> 'period') then    -- one that became so old stays as it is
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/start_date', 'must be at most ' || c_most_periods
      || ' periods before today'));
  end if;
  if v_exponent is null then
    perform wallet.refuse_call('currency_unknown', jsonb_build_object('currency', v_currency,
      'similar', wallet.list_similar_currencies(v_currency)));
  end if;
  if exists (select from (select p_budget ->> 'amount' union all select p_budget ->> 'carry_cap'
      union all select i ->> 'amount' from jsonb_array_elements(p_budget -> 'items') i) a (amount)
      where scale(trim_scale(a.amount::numeric)) > v_exponent) then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', v_currency, 'exponent', v_exponent));
  end if;
  select w.id into v_fault from jsonb_array_elements_text(p_budget -> 'wallet_ids') w (id)
    left join wallet.wallets o on o.wallet_id = w.id::uuid
    where finance.find_book_of_wallet(o.user_id, o.organization_id) is distinct from p_book.book_id limit 1;
  if found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', v_fault));
  end if;
  perform finance.check_budget_category(c.id::uuid, p_book.book_id, '/category_ids/' || c.place - 1)
    from jsonb_array_elements_text(p_budget -> 'category_ids') with ordinality c (id, place);
  perform finance.check_budget_category((i.item ->> 'category_id')::uuid, p_book.book_id, '/items/' || i.place - 1 || '/category_id')
    from jsonb_array_elements(p_budget -> 'items') with ordinality i (item, place);
  return row(p_budget_id, p_book.book_id, p_budget ->> 'name', (p_budget ->> 'amount')::numeric, v_currency, p_budget ->> 'period',
    v_start, (p_budget ->> 'end_date')::date,
    array(select w::uuid from jsonb_array_elements_text(p_budget -> 'wallet_ids') w),
    array(select c::uuid from jsonb_array_elements_text(p_budget -> 'category_ids') c), p_budget ->> 'carry',
    (p_budget ->> 'carry_cap')::numeric, (p_budget ->> 'prorate')::boolean,
    array(select t::integer from jsonb_array_elements_text(p_budget -> 'tiers') t), v_today, v_today, 1, v_now, v_now)::finance.budgets;
end $$;

-- Refuses what is no category of the book, or not under Expense.
create or replace function finance.check_budget_category(p_category_id uuid, p_book_id uuid, p_pointer text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_path constant uuid[] := finance.find_label_path((finance.find_label(p_category_id, p_book_id, 'category')).label_id);
begin
  if not exists (select from finance.labels l where l.label_id = v_path[cardinality(v_path)] and l.system_key = 'expense') then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(p_pointer, 'must be Expense or a category under it'));
  end if;
end $$;

-- Writes the items of a budget in place of those that it had.
create or replace function finance.write_budget_items(p_budget finance.budgets, p_items jsonb) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  delete from finance.budget_items i where i.budget_id = p_budget.budget_id;
  insert into finance.budget_items (budget_id, place, category_id, amount)
    select p_budget.budget_id, i.place, (i.item ->> 'category_id')::uuid, (i.item ->> 'amount')::numeric
    from jsonb_array_elements(p_items) with ordinality i (item, place);
end $$;

-- A budget as its readers see it.
create or replace function finance.format_budget(p_budget finance.budgets) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_budget.currency);
begin
  return (select row_to_json(v)::text from (select p_budget.budget_id, p_budget.book_id, p_budget.name,
    wallet.format_amount(p_budget.amount, v_exponent) as amount, p_budget.currency, p_budget.period, p_budget.start_date,
    p_budget.end_date, p_budget.wallet_ids, p_budget.category_ids,
    (select coalesce(json_agg(json_build_object('category_id', i.category_id,
        'amount', wallet.format_amount(i.amount, v_exponent)) order by i.place), '[]')
      from finance.budget_items i where i.budget_id = p_budget.budget_id) as items,
    p_budget.carry, wallet.format_amount(p_budget.carry_cap, v_exponent) as carry_cap, p_budget.prorate, p_budget.tiers,
    p_budget.version, wallet.format_time(p_budget.created_at) as created_at,
    wallet.format_time(p_budget.updated_at) as updated_at) v);
end $$;
