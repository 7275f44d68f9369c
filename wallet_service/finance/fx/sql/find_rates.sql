-- The rate of a day. Every figure in another currency takes it from here: budgets, reports, conversions.
--
-- A rate is found direct (base from, quote to), inverse, or as a cross by way of the euro. For one pair a book's own rate comes before
-- the service's, and the fixed rate of a currency that joined the euro before both. Of each, the newest one of a day that is not after
-- the asked one counts, if it is at most max_age_days older. Where there is none, but a rate is at most stale_age_days older than today,
-- a newer one may still come: the newest such rate counts, and is stale. Otherwise there is no rate. Nothing takes 1 for it.
--
-- A rate is a fraction, so that a conversion divides once: the value is amount * rate_to / rate_from.

-- The rates of each currency of p_from in p_to on the days from p_first to p_last: no row where there is none. rated_on: the day of the
-- rate, of a cross the older one; a fixed rate is that of each day. p_book_id: the book whose own rates count, too; null: none.
create or replace function finance.find_rates(p_book_id uuid, p_to text, p_from text[], p_first date, p_last date)
returns table (currency text, day date, rate_from numeric, rate_to numeric, rated_on date, is_stale boolean)
language plpgsql stable rows 4000 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
begin
  return query
  with asked as (
    select row_number() over () as number, f.code from (select distinct c.code from unnest(p_from) c (code) where c.code <> p_to) f
  ), found as (
    select a.number, a.code, r.day, r.divisor as rate_from, r.factor as rate_to, r.rated_on, r.is_stale, 1 as place
    from asked a cross join lateral finance.list_pair_rates(p_book_id, a.code, p_to, p_first, p_last) r
    union all
    select a.number, a.code, f.day, f.factor * t.divisor, f.divisor * t.factor, least(f.rated_on, t.rated_on),
      f.is_stale or t.is_stale, 2
    from asked a cross join lateral finance.list_pair_rates(p_book_id, 'EUR', a.code, p_first, p_last) f
      join finance.list_pair_rates(p_book_id, 'EUR', p_to, p_first, p_last) t on t.day = f.day
    where 'EUR' not in (a.code, p_to)
  ), best as (
    select distinct on (f.number, f.day) f.code, f.day, f.rate_from, f.rate_to, f.rated_on, f.is_stale
    from found f order by f.number, f.day, f.is_stale, case when f.is_stale then f.rated_on end desc, f.place
  )
  select b.code, b.day, b.rate_from, b.rate_to, b.rated_on, b.is_stale from best b
  union all
  select p_to, p_first + n, 1, 1, p_first + n, false from generate_series(0, p_last - p_first) n where p_to = any(p_from);
end $$;

-- The rates of one pair on the days from p_first to p_last, direct or inverse: what one unit of p_base is worth in p_quote is
-- factor / divisor.
create or replace function finance.list_pair_rates(p_book_id uuid, p_base text, p_quote text, p_first date, p_last date)
returns table (day date, factor numeric, divisor numeric, rated_on date, is_stale boolean)
language plpgsql stable rows 4000 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  v_max_age integer;
  v_current date;    -- the oldest day of a rate that counts while a newer one may still come
  v_oldest date;     -- the oldest day of a rate that can count for one of the days
begin
  select a.max_age_days, (wallet.clock() at time zone 'UTC')::date - a.stale_age_days into strict v_max_age, v_current
    from finance.rate_ages a;
  v_oldest := least(p_first - v_max_age, v_current);
  return query
  with series as (
    select 1 as place, r.day, r.rate as factor, 1::numeric as divisor from finance.rates r
      where r.book_id = p_book_id and r.base = p_base and r.quote = p_quote and r.day between v_oldest and p_last
    union all
    select 2, r.day, 1, r.rate from finance.rates r
      where r.book_id = p_book_id and r.base = p_quote and r.quote = p_base and r.day between v_oldest and p_last
    union all
    select 3, r.day, r.rate, 1 from finance.rates r
      where r.book_id is null and r.base = p_base and r.quote = p_quote and r.day between v_oldest and p_last
    union all
    select 4, r.day, 1, r.rate from finance.rates r
      where r.book_id is null and r.base = p_quote and r.quote = p_base and r.day between v_oldest and p_last
  ), spans as (    -- the days for which each is the newest of its series
    select s.place, s.day, s.factor, s.divisor, greatest(s.day, p_first) as first,
      least(p_last, lead(s.day) over (partition by s.place order by s.day) - 1,
        case when s.day < v_current then s.day + v_max_age end) as last
    from series s
  ), days as (
    select s.first + n as day, s.factor, s.divisor, s.day as rated_on, s.first + n - s.day > v_max_age as is_stale, s.place
    from spans s cross join lateral generate_series(0, s.last - s.first) n
    union all
    select greatest(p_first, e.joined_on) + n, case when p_base = 'EUR' then e.rate else 1 end,
      case when p_base = 'EUR' then 1 else e.rate end, greatest(p_first, e.joined_on) + n, false, 0
    from finance.euro_rates e cross join lateral generate_series(0, p_last - greatest(p_first, e.joined_on)) n
    where 'EUR' in (p_base, p_quote) and e.currency in (p_base, p_quote)
  )
  select distinct on (d.day) d.day, d.factor, d.divisor, d.rated_on, d.is_stale
  from days d order by d.day, d.is_stale, case when d.is_stale then d.rated_on end desc, d.place;
end $$;

-- The rate of one day, as find_rates has it. All null where there is none.
create or replace function finance.find_rate(p_book_id uuid, p_from text, p_to text, p_day date,
  out rate_from numeric, out rate_to numeric, out rated_on date, out is_stale boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  select r.rate_from, r.rate_to, r.rated_on, r.is_stale into rate_from, rate_to, rated_on, is_stale
  from finance.find_rates(p_book_id, p_to, array[p_from], p_day, p_day) r;
end $$;

-- An amount with the decimals of its currency, rounded half away from zero. Figures are summed first and rounded once.
create or replace function finance.round_amount(p_amount numeric, p_currency text) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return round(p_amount, (select c.exponent from wallet.currencies c where c.code = p_currency));
end $$;
