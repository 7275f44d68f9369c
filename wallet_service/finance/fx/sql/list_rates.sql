-- A page of the rates of the service (p_book_id null) or of a book, newest day first: a JSON array, and on a line of its own where the
-- next page begins, as day, base and quote. p_base, p_quote: only of these currencies; null: of all. p_first, p_last: days.
create or replace function wallet_api.list_rates(p_book_id uuid, p_base text, p_quote text, p_first date, p_last date,
  p_after_day date, p_after_base text, p_after_quote text, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_last constant date := least(coalesce(p_last, 'infinity'), coalesce(p_after_day, 'infinity'));
  v_rates finance.rates[];
begin
  -- One statement for each: a condition on either would use no index.
  if p_book_id is null then
    v_rates := array(select r from finance.rates r
      where r.book_id is null and r.day <= v_last and r.day >= coalesce(p_first, '-infinity')
        and (p_base is null or r.base = p_base) and (p_quote is null or r.quote = p_quote)
        and (p_after_day is null or r.day < p_after_day or (r.base, r.quote) > (p_after_base, p_after_quote))
      order by r.day desc, r.base, r.quote limit p_limit + 1);
  else
    v_rates := array(select r from finance.rates r
      where r.book_id = p_book_id and r.day <= v_last and r.day >= coalesce(p_first, '-infinity')
        and (p_base is null or r.base = p_base) and (p_quote is null or r.quote = p_quote)
        and (p_after_day is null or r.day < p_after_day or (r.base, r.quote) > (p_after_base, p_after_quote))
      order by r.day desc, r.base, r.quote limit p_limit + 1);
  end if;
  return '[' || coalesce((select string_agg(finance.format_stored_rate(v_rates[i]), ',' order by i)
      from generate_subscripts(v_rates, 1) i where i <= p_limit), '') || E']\n'
    || case when array_length(v_rates, 1) > p_limit then v_rates[p_limit].day || ' ' || v_rates[p_limit].base
      || ' ' || v_rates[p_limit].quote
      else '' end;
end $$;
