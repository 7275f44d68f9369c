-- Prices a conversion by the rate of a day: amount * rate_to / rate_from, less the spread, divided once and rounded once, half away from
-- zero. remainder is what rounding left: the exact amount less to_amount, with twelve more decimals. Without a rate, to_amount is null.
create or replace function finance.price_conversion(p_book_id uuid, p_from text, p_to text, p_amount numeric, p_day date,
  p_spread_bps integer) returns finance.conversion
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_whole constant integer := 10000;    -- basis points
  v_rate constant record := finance.find_rate(p_book_id, p_from, p_to, p_day);
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_to);
  v_priced finance.conversion;
  v_dividend numeric;
  v_divisor numeric;
begin
  v_priced.from_currency := p_from;
  v_priced.to_currency := p_to;
  v_priced.amount := p_amount;
  v_priced.rate_from := v_rate.rate_from;
  v_priced.rate_to := v_rate.rate_to;
  v_priced.rated_on := v_rate.rated_on;
  v_priced.is_stale := v_rate.is_stale;
  v_priced.spread_bps := p_spread_bps;
  v_dividend := p_amount * v_rate.rate_to * (c_whole - p_spread_bps);
  v_divisor := v_rate.rate_from * c_whole;
  v_priced.to_amount := finance.divide_rounded(v_dividend, v_divisor, v_exponent);
  v_priced.remainder := finance.divide_rounded(v_dividend - v_priced.to_amount * v_divisor, v_divisor, v_exponent + 12);
  return v_priced;
end $$;

-- A quotient with p_decimals, rounded half away from zero, exactly: the quotient of two numerics has been rounded already.
create or replace function finance.divide_rounded(p_dividend numeric, p_divisor numeric, p_decimals integer) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return round(sign(p_dividend) * div(abs(p_dividend) * ('1e' || p_decimals)::numeric * 2 + p_divisor, p_divisor * 2)
    * ('1e-' || p_decimals)::numeric, p_decimals);
end $$;

-- The rate of a conversion as a decimal number: what a unit was worth, without the spread; of amounts that the caller gave, their
-- quotient. With 18 significant digits at least.
create or replace function finance.format_rate(p_conversion finance.conversion) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_dividend constant numeric := coalesce(p_conversion.rate_to, p_conversion.to_amount);
  v_divisor constant numeric := coalesce(p_conversion.rate_from, p_conversion.amount);
begin
  return trim_scale(round(v_dividend::numeric / v_divisor,
    18 - least(18, floor(log(v_dividend / v_divisor))::integer)))::text;
end $$;

-- What amount of p_from is worth in p_to on a day, null for today: {from, to, amount, day, converted, rate, rated_on, stale, unconverted,
-- complete}. Nothing is posted, and no spread is taken. p_time_zone: that of the book, for today.
create or replace function wallet_api.read_conversion(p_book_id uuid, p_from text, p_to text, p_amount text, p_day date)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_zone constant text := coalesce((select b.time_zone from finance.books b where b.book_id = p_book_id), 'UTC');
  v_day constant date := coalesce(p_day, finance.find_book_day(wallet.clock(), v_zone));
  v_amount constant numeric := coalesce(wallet.read_amount(p_amount), 0);
  v_priced finance.conversion;
begin
  perform finance.require_currency(p_from);
  perform finance.require_currency(p_to);
  if scale(v_amount) > (select c.exponent from wallet.currencies c where c.code = p_from) then
    perform wallet.refuse_call('amount_precision', (select jsonb_build_object('currency', c.code, 'exponent', c.exponent)
      from wallet.currencies c where c.code = p_from));
  end if;
  v_priced := finance.price_conversion(p_book_id, p_from, p_to, v_amount, v_day, 0);
  return (select row_to_json(v)::text from (select p_from as "from", p_to as "to",
    wallet.format_amount(v_amount, (select c.exponent from wallet.currencies c where c.code = p_from)) as amount, v_day as day,
    v_priced.to_amount::text as converted, case when v_priced.to_amount is not null then finance.format_rate(v_priced) end as rate,
    v_priced.rated_on, coalesce(v_priced.is_stale, false) as stale,
    case when v_priced.to_amount is null then array[p_from] else '{}'::text[] end as unconverted,
    v_priced.to_amount is not null as complete) v);
end $$;

-- Refuses a currency that the ledger does not have.
create or replace function finance.require_currency(p_code text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from wallet.currencies c where c.code = p_code) then
    perform wallet.refuse_call('currency_unknown', jsonb_build_object('currency', left(p_code, 32),
      'similar', wallet.list_similar_currencies(p_code)));
  end if;
end $$;
