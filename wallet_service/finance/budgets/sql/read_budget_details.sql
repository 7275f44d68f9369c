-- A budget on a day: its progress, its pace, its items, its earlier periods and the tiers that were reached. Parameters as of
-- wallet_api.read_budget_progress.
create or replace function wallet_api.read_budget_details(p_budget_id uuid, p_on text, p_pending bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_earlier constant integer := 12;
  v_budget constant finance.budgets := finance.find_budget(p_budget_id, null);
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = v_budget.currency);
  v_book finance.books;
  v_day date;
  v_rows finance.budget_figures[];    -- the period of the day, then earlier ones
begin
  select * into strict v_book from finance.books b where b.book_id = v_budget.book_id;
  v_day := finance.find_day_asked(v_book, p_on::date);
  v_rows := array(select f from finance.find_budget_figures(v_book, array[v_budget], v_day,
    finance.find_earlier_day(v_budget, v_day, c_earlier)) f order by f.first_day desc limit 1 + c_earlier);
  return finance.join_objects(array[
    (select row_to_json(v) from (select v_book.book_id, v_day as "on", wallet.format_time(wallet.clock()) as as_of,
      p_pending as pending_entries) v),
    finance.format_progress(v_budget, v_rows[1], v_day), finance.format_pace(v_rows[1], v_day, v_exponent),
    json_build_object('items', finance.format_item_figures(v_budget, v_book.book_id, v_rows[1], v_day, v_exponent),
      'history', (select coalesce(json_agg(finance.format_period(v_rows[i], v_exponent) order by i), '[]')
        from generate_subscripts(v_rows, 1) i where i > 1),
      'alerts', (select coalesce(json_agg(json_build_object('tier', a.tier, 'reached_at', wallet.format_time(a.reached_at))
          order by a.tier), '[]')
        from finance.budget_alerts a
        where a.budget_id = p_budget_id and a.first_day = v_rows[1].first_day and a.rearmed_at is null))]);
end $$;

-- One object with the members of several, none of which is empty.
create or replace function finance.join_objects(p_objects json[]) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return '{' || (select string_agg(substr(left(o.object::text, -1), 2), ',' order by o.place)
    from unnest(p_objects) with ordinality o (object, place)) || '}';
end $$;

-- A day in the period that is p_periods before that of a day.
create or replace function finance.find_earlier_day(p_budget finance.budgets, p_day date, p_periods integer) returns date
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_day constant date := finance.find_budget_day(p_budget, p_day);
begin
  return (v_day - p_periods * case p_budget.period when 'daily' then interval '1 day' when 'weekly' then interval '7 days'
    when 'monthly' then interval '1 month' when 'quarterly' then interval '3 months' else interval '1 year' end)::date;
end $$;

-- The figures of a period that has ended.
create or replace function finance.format_period(p_figures finance.budget_figures, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v) from (select p_figures.first_day as "from", p_figures.next_day as "to",
    wallet.format_amount(p_figures.amount, p_exponent) as amount, wallet.format_amount(p_figures.carry, p_exponent) as carry,
    wallet.format_amount(p_figures.amount + p_figures.carry, p_exponent) as available,
    wallet.format_amount(p_figures.spent, p_exponent) as spent,
    wallet.format_amount(p_figures.amount + p_figures.carry - p_figures.spent, p_exponent) as "left",
    p_figures.is_complete as complete) v);
end $$;

-- How fast a budget is spent. Both recurring terms are 0 until there is a room for recurring payments.
create or replace function finance.format_pace(p_figures finance.budget_figures, p_day date, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_days constant integer := p_figures.next_day - p_figures.first_day;
  v_day constant integer := greatest(0, least(p_day + 1, p_figures.next_day) - p_figures.first_day);
  v_projected constant numeric := finance.project_spending(p_figures.spent, 0, 0, v_day, v_days);
begin
  return (select row_to_json(v) from (select v_days as days, v_day as day,
    wallet.format_amount(p_figures.spent / nullif(v_day, 0), p_exponent) as daily_average,
    wallet.format_amount(0, p_exponent) as recurring_posted, wallet.format_amount(0, p_exponent) as recurring_expected,
    wallet.format_amount(v_projected, p_exponent) as projected,
    v_projected <= p_figures.amount + p_figures.carry as on_track) v);
end $$;

-- What will have been spent at the end of a period, on its day p_day of p_days, if the rest goes on as until now: p_posted of what was
-- spent came from recurring payments, and p_expected is still to come from them.
create or replace function finance.project_spending(p_spent numeric, p_posted numeric, p_expected numeric, p_day integer, p_days integer)
returns numeric
language sql immutable as $$
  select p_spent + p_expected + coalesce((p_spent - p_posted) * (p_days - p_day) / nullif(p_day, 0), 0)
$$;

-- The items of a budget, with what was spent of each. A part counts for the nearest item above its category, so nothing counts twice.
-- On the last line, without a category, what no item has: the rest of the amount, and what was spent elsewhere.
create or replace function finance.format_item_figures(p_budget finance.budgets, p_book_id uuid, p_figures finance.budget_figures,
  p_day date, p_exponent integer) returns json
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_bounds constant date[] := array[p_figures.first_day, greatest(p_figures.first_day, least(p_figures.next_day, p_day + 1))];
begin
  return (with paths as materialized (
    select p.category_id, p.path from finance.list_category_paths(p_book_id) p
  ), items as (
    select i.place, i.category_id, i.amount, p.path[1] as stand
    from finance.budget_items i join paths p on p.category_id = i.category_id where i.budget_id = p_budget.budget_id
  ), spent as (
    select coalesce(n.place, 0) as place, round(-sum(s.amount), 30) as amount
    from finance.sum_money(p_book_id, p_budget.currency, v_bounds,
        array(select c.category_id from finance.list_budget_categories(p_book_id, array[p_budget]) c),
        case when p_budget.wallet_ids <> '{}' then p_budget.wallet_ids end) s
      join paths p on p.category_id = s.category_id
      left join lateral (select i.place from items i where i.stand = any (p.path)
        order by array_position(p.path, i.stand), i.place limit 1) n on true
    group by 1
  ), lines as (
    select i.place, i.category_id, i.amount from items i
    union all
    select 0, null, p_figures.amount - coalesce((select sum(i.amount) from items i), 0)
  )
  select json_agg(json_build_object('category_id', l.category_id, 'amount', wallet.format_amount(l.amount, p_exponent),
      'spent', wallet.format_amount(coalesce(s.amount, 0), p_exponent),
      'left', wallet.format_amount(l.amount - coalesce(s.amount, 0), p_exponent)) order by l.place = 0, l.place)
  from lines l left join spent s on s.place = l.place);
end $$;
