-- Fixes the price of a conversion for p_seconds, by the service's rates: no book's own rate makes a price that the service keeps. Safe
-- to repeat with the same p_quote_id. p_max_age_h: hours by which the rate may be older. Returns the quote.
create or replace function wallet_api.create_quote(p_quote_id uuid, p_client_id text, p_user_id text, p_from text, p_to text,
  p_amount text, p_spread_bps integer, p_max_age_h integer, p_seconds integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_exponent constant integer := (select c.exponent from wallet.currencies c where c.code = p_from);
  v_amount constant numeric := wallet.read_amount(p_amount);
  v_priced finance.conversion;
  v_refusal wallet.decision;
  v_quote finance.quotes;
begin
  perform wallet.require_read_committed();
  perform finance.require_currency(p_from);
  perform finance.require_currency(p_to);
  if p_from = p_to then
    perform wallet.refuse_call('validation_failed', wallet.build_fault('/to', 'must be another currency'));
  elsif scale(v_amount) > v_exponent then
    perform wallet.refuse_call('amount_precision', jsonb_build_object('currency', p_from, 'exponent', v_exponent));
  end if;
  v_priced := finance.price_conversion(null, p_from, p_to, v_amount, (v_now at time zone 'UTC')::date, p_spread_bps);
  v_refusal := coalesce(finance.refuse_price(v_priced), finance.refuse_old_rate(v_priced, p_max_age_h, v_now));
  if v_refusal.code is not null then
    perform wallet.refuse_call(v_refusal.code, v_refusal.facts);
  end if;
  delete from finance.quotes q using (select e.quote_id from finance.quotes e where e.expires_at < v_now - interval '1 day'
      order by e.expires_at limit 20 for update skip locked) e where q.quote_id = e.quote_id;
  insert into finance.quotes (quote_id, client_id, user_id, from_currency, to_currency, amount, to_amount, rate_from, rate_to,
      rated_on, is_stale, spread_bps, remainder, created_at, expires_at)
    values (p_quote_id, p_client_id, p_user_id, p_from, p_to, v_amount, v_priced.to_amount, v_priced.rate_from, v_priced.rate_to,
      v_priced.rated_on, v_priced.is_stale, p_spread_bps, v_priced.remainder, v_now, v_now + make_interval(secs => p_seconds))
    on conflict do nothing;
  select * into strict v_quote from finance.quotes q where q.quote_id = p_quote_id;
  return finance.format_quote(v_quote);
end $$;

-- A quote as its owner sees it.
create or replace function finance.format_quote(p_quote finance.quotes) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_priced constant finance.conversion := finance.read_quote(p_quote);
begin
  return (select row_to_json(v)::text from (select p_quote.quote_id, p_quote.from_currency as "from", p_quote.to_currency as "to",
    finance.round_amount(p_quote.amount, p_quote.from_currency)::text as amount,
    finance.round_amount(p_quote.to_amount, p_quote.to_currency)::text as to_amount, finance.format_rate(v_priced) as rate,
    p_quote.rated_on, p_quote.is_stale as stale, p_quote.spread_bps, p_quote.remainder::text as remainder,
    wallet.format_time(p_quote.created_at) as created_at, wallet.format_time(p_quote.expires_at) as expires_at) v);
end $$;

-- What a quote says of the conversion that uses it.
create or replace function finance.read_quote(p_quote finance.quotes) returns finance.conversion
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return row(p_quote.from_currency, p_quote.to_currency, p_quote.amount, p_quote.to_amount, p_quote.rate_from, p_quote.rate_to,
    p_quote.rated_on, p_quote.is_stale, p_quote.spread_bps, p_quote.remainder, p_quote.quote_id)::finance.conversion;
end $$;

-- Why a conversion can't be posted at its price: there is no rate, or it gives nothing, or too much. Null: it can.
create or replace function finance.refuse_price(p_priced finance.conversion) returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case
    when p_priced.to_amount is null then wallet.build_refusal('rate_missing', jsonb_build_object('from', p_priced.from_currency,
      'to', p_priced.to_currency))
    when p_priced.to_amount = 0 then wallet.build_refusal('validation_failed', wallet.build_fault('/amount',
      'is less than the smallest unit of ' || p_priced.to_currency))
    when p_priced.to_amount >= 1e20 then wallet.build_refusal('validation_failed', wallet.build_fault('/amount',
      'is more than 20 digits before the point in ' || p_priced.to_currency)) end;
end $$;

-- The refusal of a price that the service would keep, whose rate is older than p_max_age_h: measured from the end of its day in UTC.
create or replace function finance.refuse_old_rate(p_priced finance.conversion, p_max_age_h integer, p_now timestamptz)
returns wallet.decision
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if p_now - ((p_priced.rated_on + 1)::timestamp at time zone 'UTC') > make_interval(hours => p_max_age_h) then
    return wallet.build_refusal('rate_stale', jsonb_build_object('from', p_priced.from_currency, 'to', p_priced.to_currency,
      'rated_on', p_priced.rated_on, 'max_age_h', p_max_age_h));
  end if;
  return null;
end $$;
