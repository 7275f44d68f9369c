-- Looks for tiers that budgets of a book have reached, and records each once: a row, and the event budget.reached. Looks at periods that
-- have not ended, or ended at most 35 days before the last look, and not before the budget was created: what is booked late counts.
-- Returns {"reached": how many}. Safe to repeat. Without news it locks nothing.
create or replace function wallet_api.check_budgets(p_book_id uuid) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_book finance.books;
  v_today date;
  v_count integer := 0;
begin
  perform wallet.require_read_committed();
  select * into v_book from finance.books b where b.book_id = p_book_id;
  v_today := finance.find_book_day(wallet.clock(), v_book.time_zone);
  if exists (select from finance.list_reached_tiers(v_book, v_today))
      or exists (select from finance.budgets b where b.book_id = p_book_id and b.checked_on < v_today) then
    v_book := finance.lock_budgets(p_book_id);
    v_count := finance.record_reached_tiers(v_book, v_today);
    update finance.budgets b set checked_on = v_today where b.book_id = p_book_id and b.checked_on < v_today;
  end if;
  return json_build_object('reached', v_count)::text;
end $$;

-- Tiers that are reached and were not recorded yet, with the figures of their periods.
create or replace function finance.list_reached_tiers(p_book finance.books, p_today date)
returns table (budget_id uuid, first_day date, next_day date, tier integer, amount numeric, available numeric, spent numeric,
  is_complete boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  c_late_days constant integer := 35;
  v_budgets constant finance.budgets[] := array(select b from finance.budgets b where b.book_id = p_book.book_id and b.tiers <> '{}'
    and b.start_date <= p_today);
  v_since constant date := (select min(b.checked_on) - c_late_days from unnest(v_budgets) b);
begin
  if cardinality(v_budgets) = 0 then
    return;
  end if;
  return query
  select f.budget_id, f.first_day, f.next_day, t.tier, f.amount, f.amount + f.carry, f.spent, f.is_complete
  from finance.find_budget_figures(p_book, v_budgets, p_today, v_since) f join unnest(v_budgets) b on b.budget_id = f.budget_id
    cross join unnest(b.tiers) t (tier)
  where f.next_day > b.watched_from and f.next_day > v_since and finance.is_tier_reached(t.tier, f.spent, f.amount + f.carry)
    and not exists (select from finance.budget_alerts a where a.budget_id = f.budget_id and a.first_day = f.first_day
      and a.tier = t.tier and a.rearmed_at is null);
end $$;

-- Records tiers that are reached. The book is locked. Returns how many.
create or replace function finance.record_reached_tiers(p_book finance.books, p_today date) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_found record;
  v_alert finance.budget_alerts;
  v_count integer := 0;
begin
  for v_found in select * from finance.list_reached_tiers(p_book, p_today) f order by f.budget_id, f.first_day, f.tier loop
    v_alert := row(wallet.new_id(), v_found.budget_id, v_found.first_day, v_found.tier, v_now, null);
    insert into finance.budget_alerts select v_alert.*;
    perform platform.record_change('{"actor": "service"}', 'budget.reached', v_found.budget_id::text, null,
      finance.format_budget_alert(v_alert, v_found.next_day, v_found.amount, v_found.available, v_found.spent,
        v_found.is_complete)::jsonb, p_book.user_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- A tier that was reached, with the figures at that moment.
create or replace function finance.format_budget_alert(p_alert finance.budget_alerts, p_next_day date, p_amount numeric,
  p_available numeric, p_spent numeric, p_is_complete boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_alert.alert_id, b.budget_id, b.book_id, b.name, b.currency, b.period,
    p_alert.first_day as "from", p_next_day as "to", p_alert.tier, wallet.format_amount(p_amount, c.exponent) as amount,
    wallet.format_amount(p_available, c.exponent) as available, wallet.format_amount(p_spent, c.exponent) as spent,
    p_is_complete as complete, wallet.format_time(p_alert.reached_at) as reached_at
    from finance.budgets b join wallet.currencies c on c.code = b.currency where b.budget_id = p_alert.budget_id) v);
end $$;

-- The books that have budgets, p_limit of them after p_after, for the job that checks all: a JSON array of their ids.
create or replace function wallet_api.list_budget_books(p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (with recursive books (book_id) as (    -- one look-up for each book, however many budgets it has
    (select b.book_id from finance.budgets b where p_after is null or b.book_id > p_after order by b.book_id limit 1)
    union all
    select (select b.book_id from finance.budgets b where b.book_id > f.book_id order by b.book_id limit 1)
    from books f where f.book_id is not null
  )
  select coalesce(json_agg(f.book_id order by f.book_id), '[]')::text
  from (select b.book_id from books b where b.book_id is not null limit p_limit) f);
end $$;
