-- The calendar of a book: days, and the periods that they are in. Every room of the group finance takes its days and periods from
-- here, and so do figures that SQL sums.

-- The day of a moment in a time zone.
create or replace function finance.find_book_day(p_at timestamptz, p_time_zone text) returns date
language sql stable as $$
  select (p_at at time zone p_time_zone)::date
$$;

-- The first moment of a day in a time zone. Where clocks skip midnight, the moment at which they are set forward; where they are set
-- back over it, the first one.
create or replace function finance.find_day_start(p_day date, p_time_zone text) returns timestamptz
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_midnight constant timestamp := p_day::timestamp;
  v_start constant timestamptz := v_midnight at time zone p_time_zone;
  v_before constant timestamptz := v_start - interval '12 hours';
  -- The same midnight with the offset from UTC that the time zone had half a day before.
  v_first constant timestamptz := v_before + (v_midnight - (v_before at time zone p_time_zone));
begin
  return case when v_first at time zone p_time_zone = v_midnight then least(v_first, v_start) else v_start end;
end $$;

-- The day on which a month begins: p_months after the month of a day. A start day that the month does not have is its last day.
create or replace function finance.find_month_start(p_month date, p_months integer, p_start_day integer) returns date
language sql immutable as $$
  select (date_trunc('month', p_month::timestamp) + make_interval(months => p_months))::date - 1 + least(p_start_day,
    extract(day from date_trunc('month', p_month::timestamp) + make_interval(months => p_months + 1) - interval '1 day')::integer)
$$;

-- The period of a book in which a day is: day, week, month, quarter or year. Half open: the first day is in it, the last bound is not.
-- Months begin on the book's day; quarters and years on that day of the book's month, and every third after it for quarters. So a
-- year has whole months.
create or replace function finance.find_book_period(p_kind text, p_day date, p_book finance.books) returns daterange
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_start_day constant integer := p_book.month_start_day;
  v_length integer := case p_kind when 'month' then 1 when 'quarter' then 3 when 'year' then 12 end;
  v_month date;    -- a day of the month in which the period begins
  v_late integer;
begin
  if p_kind = 'day' then
    return daterange(p_day, p_day + 1);
  elsif p_kind = 'week' then
    v_late := (extract(isodow from p_day)::integer - p_book.week_start + 7) % 7;
    return daterange(p_day - v_late, p_day - v_late + 7);
  elsif v_length is null then
    raise exception 'no kind of period: %', p_kind;
  end if;
  v_month := case when finance.find_month_start(p_day, 0, v_start_day) <= p_day then p_day
    else finance.find_month_start(p_day, -1, v_start_day) end;
  v_late := (extract(month from v_month)::integer - p_book.year_start_month + 12) % v_length;
  return daterange(finance.find_month_start(v_month, -v_late, v_start_day),
    finance.find_month_start(v_month, v_length - v_late, v_start_day));
end $$;
