-- How figures of a book are read: from the day sums, each amount at the rate of its own day, and not rounded.

-- What came in, less what went out, by period, category and wallet. p_bounds: ascending days; period i begins on the i-th and ends before
-- the next. p_category_ids, p_wallet_ids: only these; null: all. Categories are those of the parts as stored: the caller follows merges
-- (finance.list_category_paths). amount is in p_currency. What has no rate is in left_out instead, in the wallet's currency; credits
-- that have no rate are no money, and in neither. rated_on: the oldest day of a stale rate that was used; null: none was.
create or replace function finance.sum_money(p_book_id uuid, p_currency text, p_bounds date[], p_category_ids uuid[] default null,
  p_wallet_ids uuid[] default null)
returns table (place integer, category_id uuid, wallet_id uuid, currency text, amount numeric, left_out numeric, rated_on date)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  v_first constant date := p_bounds[1];
  v_next constant date := p_bounds[cardinality(p_bounds)];
begin
  return query
  with wallets as materialized (
    select w.wallet_id, w.currency, c.kind from finance.catalogued m
      join wallet.wallets w on w.wallet_id = m.wallet_id join wallet.currencies c on c.code = w.currency
    where m.book_id = p_book_id and (p_wallet_ids is null or m.wallet_id = any (p_wallet_ids))
  ), cells as materialized (    -- of another currency by day, because each day has its rate
    select width_bucket(d.booked_on, p_bounds) as place, case when w.currency <> p_currency then d.booked_on end as day,
      d.category_id, d.wallet_id, sum(d.credits) - sum(d.debits) as amount
    from finance.day_sums d join wallets w on w.wallet_id = d.wallet_id
    where d.book_id = p_book_id and d.booked_on >= v_first and d.booked_on < v_next and d.category_id is not null
      and (p_category_ids is null or d.category_id = any (p_category_ids))
    group by 1, 2, 3, 4
  ), rates as materialized (
    select r.currency, r.day, r.rate_from, r.rate_to, case when r.is_stale then r.rated_on end as rated_on
    from (select array_agg(distinct w.currency) as currencies, min(c.day) as first, max(c.day) as last
        from cells c join wallets w on w.wallet_id = c.wallet_id where c.day is not null) f,
      lateral finance.find_rates(p_book_id, p_currency, f.currencies, f.first, f.last) r
    where f.first is not null
  )
  select c.place, c.category_id, c.wallet_id, w.currency,
    -- With 40 decimals: so the sum of thirds is a whole after its 30th decimal is rounded, and not a little less.
    coalesce(sum(case when c.day is null then c.amount else round(c.amount * r.rate_to, 40) / r.rate_from end), 0),
    coalesce(sum(c.amount) filter (where c.day is not null and r.day is null and w.kind <> 'credit'), 0), min(r.rated_on)
  from cells c join wallets w on w.wallet_id = c.wallet_id left join rates r on r.currency = w.currency and r.day = c.day
  group by 1, 2, 3, 4;
end $$;

-- The categories of a book, each with the one that stands for it and those above that up to the root, and the root's key. As
-- finance.find_label_path, for all at once.
create or replace function finance.list_category_paths(p_book_id uuid)
returns table (category_id uuid, path uuid[], root text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive tree (category_id, path, root) as (
    select l.label_id, array[l.label_id], l.system_key from finance.labels l
    where l.book_id = p_book_id and l.kind = 'category' and l.parent_id is null and l.merged_into is null
    union all
    select l.label_id, case when l.merged_into is null then l.label_id || t.path else t.path end, t.root
    from tree t join finance.labels l on l.book_id = p_book_id and l.kind = 'category'
      and (l.merged_into = t.category_id or l.parent_id = t.category_id and l.merged_into is null)
  )
  select t.category_id, t.path, t.root from tree t
$$;

-- The periods of a book that have a day from p_first to p_last, in their order; p_kind as of finance.find_book_period.
create or replace function finance.list_book_periods(p_kind text, p_first date, p_last date, p_book finance.books)
returns table (first_day date, next_day date)
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_first constant date := lower(finance.find_book_period(p_kind, p_first, p_book));
  v_days constant integer := case p_kind when 'day' then 1 when 'week' then 7 end;
  v_months constant integer := case p_kind when 'month' then 1 when 'quarter' then 3 when 'year' then 12 end;
begin
  if v_days is not null then
    return query select v_first + i * v_days, v_first + (i + 1) * v_days from generate_series(0, (p_last - v_first) / v_days) i;
  else
    return query select f.first_day, finance.find_month_start(v_first, (i + 1) * v_months, p_book.month_start_day)
      from generate_series(0, (p_last - v_first) / (28 * v_months)) i,
        lateral (select finance.find_month_start(v_first, i * v_months, p_book.month_start_day) as first_day) f
      where f.first_day <= p_last order by i;
  end if;
end $$;
