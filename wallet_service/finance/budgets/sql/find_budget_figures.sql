-- The figures of budgets: what each period may spend, what it takes over from the one before, and what was spent.

-- For each budget its periods in their order: those that end after p_since, and in any case the last one, which has p_day or is the last
-- before the budget's end. One that begins later has its first period. Sums have the days up to p_day. Nothing is rounded. The last
-- period has what was left out because there is no rate, {currency: amount}, and the stale rates, {currency: oldest day}: of all periods
-- that count for it. is_complete: nothing was left out of what counts for the period.
create or replace function finance.find_budget_figures(p_book finance.books, p_budgets finance.budgets[], p_day date, p_since date)
returns setof finance.budget_figures
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_group record;
  v_periods date[];    -- first days of periods of the calendar, and the day after the last one
  v_bounds date[];    -- these, and the days on which budgets begin and end in between
begin
  for v_group in
    select b.period, b.currency, b.carry <> 'none' as folds, array_agg(b) as budgets, finance.name_period_kind(b.period) as kind,
      min(case when b.carry <> 'none' then b.start_date else greatest(b.start_date, least(p_since,
        lower(finance.find_book_period(finance.name_period_kind(b.period), finance.find_budget_day(b, p_day), p_book)))) end) as first_day,
      max(finance.find_budget_day(b, p_day)) as last_day
    from unnest(p_budgets) b group by b.period, b.currency, b.carry <> 'none'
  loop
    select array_agg(p.first_day order by p.first_day) || max(p.next_day) into v_periods
      from finance.list_book_periods(v_group.kind, v_group.first_day, v_group.last_day, p_book) p;
    v_bounds := array(select distinct d from (select unnest(v_periods) union all select b.start_date from unnest(v_group.budgets) b
      union all select b.end_date from unnest(v_group.budgets) b union all select p_day + 1) f (d)
      where d between v_periods[1] and greatest(p_day + 1, v_periods[1]) order by d);
    return query select f.* from finance.fold_budgets(p_book.book_id, v_group.budgets, v_group.currency, v_periods, v_bounds, p_day) f
      where f.next_day > p_since or f.left_out is not null;
  end loop;
end $$;

-- The figures of budgets that have one currency and one kind of period; as finance.find_budget_figures, from the first of p_periods.
create or replace function finance.fold_budgets(p_book_id uuid, p_budgets finance.budgets[], p_currency text, p_periods date[],
  p_bounds date[], p_day date)
returns setof finance.budget_figures
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  v_budgets constant uuid[] := array(select b.budget_id from unnest(p_budgets) b);
  v_categories constant uuid[] := array(select distinct c.category_id from finance.list_budget_categories(p_book_id, p_budgets) c);
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_currency);
begin
  return query
  with budgets as materialized (
    select b.* from unnest(p_budgets) b
  ), chosen as materialized (
    select c.* from finance.list_budget_categories(p_book_id, p_budgets) c
  ), sums as materialized (
    select s.*, p_bounds[s.place] as day, width_bucket(p_bounds[s.place], p_periods) as number
    from finance.sum_money(p_book_id, p_currency, p_bounds, v_categories) s where cardinality(p_bounds) > 1
  ), spent as materialized (
    select b.budget_id, s.number, round(-sum(s.amount), 30) as amount, bool_or(s.left_out <> 0) as is_cut
    from sums s join chosen c on c.category_id = s.category_id join budgets b on b.budget_id = c.budget_id
    where (b.wallet_ids = '{}' or s.wallet_id = any (b.wallet_ids)) and s.day >= b.start_date
      and (b.end_date is null or s.day < b.end_date)
    group by 1, 2
  ), aside as materialized (    -- what lacks a rate or has a stale one
    select b.budget_id, s.number, s.currency, -s.left_out as amount, s.rated_on
    from sums s join chosen c on c.category_id = s.category_id join budgets b on b.budget_id = c.budget_id
    where (s.left_out <> 0 or s.rated_on is not null) and (b.wallet_ids = '{}' or s.wallet_id = any (b.wallet_ids))
      and s.day >= b.start_date and (b.end_date is null or s.day < b.end_date)
  ), periods as materialized (
    select b.budget_id, b.carry as kind, b.carry_cap, i as number, greatest(p_periods[i], b.start_date) as first_day,
      least(p_periods[i + 1], b.end_date) as next_day, coalesce(s.amount, 0) as spent, coalesce(s.is_cut, false) as is_cut,
      case when b.prorate and (p_periods[i] < b.start_date or p_periods[i + 1] > b.end_date)
        then round(b.amount * (least(p_periods[i + 1], b.end_date) - greatest(p_periods[i], b.start_date))
          / (p_periods[i + 1] - p_periods[i]), v_exponent)
        else b.amount end as amount
    from budgets b cross join generate_series(1, cardinality(p_periods) - 1) i left join spent s on s.budget_id = b.budget_id and s.number = i
    where p_periods[i + 1] > b.start_date and p_periods[i] <= finance.find_budget_day(b, p_day)
  ), folded as materialized (
    select p.budget_id, p.kind, min(p.number) as first, max(p.number) as last,
      finance.fold_carry(array_agg(p.amount - p.spent order by p.number), p.kind, p.carry_cap) as carries
    from periods p group by p.budget_id, p.kind, p.carry_cap
  ), carried as (    -- joined, because an element of an array is found by walking it: thousands of periods would cost their square
    select f.budget_id, f.first + c.place - 1 as number, c.carry from folded f cross join unnest(f.carries) with ordinality c (carry, place)
  )
  select p.budget_id, p.first_day, p.next_day, p.amount, c.carry, p.spent,
    case when p.kind = 'none' then not p.is_cut else not bool_or(p.is_cut) over w end,
    case when p.number = f.last then (select coalesce(jsonb_object_agg(a.currency, a.amount), '{}') from (
      select a.currency, sum(a.amount) as amount from aside a where a.budget_id = p.budget_id and a.amount <> 0
        and (p.kind <> 'none' or a.number = p.number) group by a.currency) a) end,
    case when p.number = f.last then (select coalesce(jsonb_object_agg(a.currency, a.rated_on), '{}') from (
      select a.currency, min(a.rated_on) as rated_on from aside a where a.budget_id = p.budget_id and a.rated_on is not null
        and (p.kind <> 'none' or a.number = p.number) group by a.currency) a) end
  from periods p join folded f on f.budget_id = p.budget_id join carried c on c.budget_id = p.budget_id and c.number = p.number
  window w as (partition by p.budget_id order by p.number rows unbounded preceding);
end $$;

-- What each period takes over from those before it. p_left: what each had left of its own amount, in their order. p_carry none:
-- nothing; surplus: what was left, or 0; full: also what was missing. Never more than p_cap (null: no cap).
create or replace function finance.fold_carry(p_left numeric[], p_carry text, p_cap numeric) returns numeric[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_floor constant numeric := case p_carry when 'surplus' then 0 end;    -- null: greatest passes over it, as least does over a cap
  v_carry numeric := 0;
  v_carries numeric[] := '{}';
  v_left numeric;
begin
  if p_carry = 'none' then
    return array_fill(0::numeric, array[cardinality(p_left)]);
  end if;
  foreach v_left in array p_left loop
    v_carries := v_carries || v_carry;
    v_carry := greatest(v_floor, least(p_cap, v_carry + v_left));
  end loop;
  return v_carries;
end $$;

-- The categories that count for budgets, as parts have them: those that stand under a category of the budget, or under Expense where
-- it names none. What now is under Income or Transfer is no expense, and doesn't count.
create or replace function finance.list_budget_categories(p_book_id uuid, p_budgets finance.budgets[])
returns table (budget_id uuid, category_id uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with paths as materialized (
    select p.category_id, p.path from finance.list_category_paths(p_book_id) p where p.root = 'expense'
  )
  select b.budget_id, p.category_id from unnest(p_budgets) b cross join paths p where b.category_ids = '{}'
  union
  select b.budget_id, p.category_id
  from unnest(p_budgets) b cross join unnest(b.category_ids) i (category_id) join paths c on c.category_id = i.category_id
    join (select p.category_id, unnest(p.path) as above from paths p) p on p.above = c.path[1]
$$;

-- The kind of period of the book's calendar.
create or replace function finance.name_period_kind(p_period text) returns text
language sql immutable as $$
  select case p_period when 'daily' then 'day' when 'weekly' then 'week' when 'monthly' then 'month' when 'quarterly' then 'quarter'
    when 'yearly' then 'year' end
$$;

-- The day of a budget that stands for a day: its first one before it begins, its last one after its end.
create or replace function finance.find_budget_day(p_budget finance.budgets, p_day date) returns date
language sql immutable as $$
  select greatest(p_budget.start_date, least(p_day, p_budget.end_date - 1))
$$;

-- Whether what was spent reaches a tier, in percent of what is available.
create or replace function finance.is_tier_reached(p_tier integer, p_spent numeric, p_available numeric) returns boolean
language sql immutable as $$
  select p_spent > 0 and (p_available <= 0 or 100 * p_spent >= p_tier * p_available)
$$;
