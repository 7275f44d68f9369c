-- How far the budgets of a book are on a day: {book_id, on, as_of, pending_entries, items}. p_on: null for today; a later day is refused.
-- p_pending: how many entries of the book are not catalogued yet, which the figures lack.
create or replace function wallet_api.read_budget_progress(p_book_id uuid, p_on text, p_pending bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_book finance.books;
  v_day date;
  v_budgets finance.budgets[];
begin
  select * into v_book from finance.books b where b.book_id = p_book_id;
  if not found then
    perform wallet.refuse_call('book_not_found', jsonb_build_object('book_id', p_book_id));
  end if;
  v_day := finance.find_day_asked(v_book, p_on::date);
  v_budgets := array(select b from finance.budgets b where b.book_id = p_book_id order by b.budget_id);
  return (select row_to_json(v)::text from (select v_book.book_id, v_day as "on", wallet.format_time(wallet.clock()) as as_of,
    p_pending as pending_entries, (select coalesce(json_agg(finance.format_progress(b, f, v_day) order by b.budget_id), '[]')
      from finance.find_budget_figures(v_book, v_budgets, v_day, null) f join unnest(v_budgets) b on b.budget_id = f.budget_id)
      as items) v);
end $$;

-- The day that figures have: the one that is asked for, or today in the book's time zone. A later one is refused.
create or replace function finance.find_day_asked(p_book finance.books, p_on date) returns date
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_today constant date := finance.find_book_day(wallet.clock(), p_book.time_zone);
begin
  if p_on > v_today then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/on', 'must not be after today, ' || v_today, 'query'));
  end if;
  return coalesce(p_on, v_today);
end $$;

-- The figures of a budget in a period; each is rounded once.
create or replace function finance.format_progress(p_budget finance.budgets, p_figures finance.budget_figures, p_day date) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_budget.currency);
  v_available constant numeric := p_figures.amount + p_figures.carry;
begin
  return (select row_to_json(v) from (select p_budget.budget_id, p_budget.name, p_budget.currency, p_budget.period,
    case when p_day < p_budget.start_date then 'upcoming' when p_day >= p_budget.end_date then 'ended' else 'active' end as state,
    p_figures.first_day as "from", p_figures.next_day as "to", wallet.format_amount(p_figures.amount, v_exponent) as amount,
    wallet.format_amount(p_figures.carry, v_exponent) as carry, wallet.format_amount(v_available, v_exponent) as available,
    wallet.format_amount(p_figures.spent, v_exponent) as spent,
    wallet.format_amount(v_available - p_figures.spent, v_exponent) as "left",
    case when v_available > 0 then round(100 * p_figures.spent / v_available, 1)::text end as percent,
    array(select t from unnest(p_budget.tiers) t where finance.is_tier_reached(t, p_figures.spent, v_available)) as reached,
    p_figures.is_complete as complete, finance.format_amounts(p_figures.left_out) as unconverted,
    (select coalesce(json_agg(json_build_object('currency', s.key, 'rated_on', s.value) order by s.key), '[]')
      from jsonb_each_text(p_figures.stale) s) as stale) v);
end $$;

-- Amounts of several currencies: [{currency, amount}], without zeros.
create or replace function finance.format_amounts(p_amounts jsonb) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg(json_build_object('currency', a.key, 'amount',
      wallet.format_amount(a.value::numeric, c.exponent)) order by a.key), '[]')
    from jsonb_each_text(p_amounts) a join wallet.currencies c on c.code = a.key);
end $$;
