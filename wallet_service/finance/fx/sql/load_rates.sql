-- Stores rates of the euro for the whole service: p_days is {"2024-06-28": {"USD": "1.0705"}}. Currencies that the ledger does not have
-- are left out. A rate that an operator has set stays. Safe to repeat. Returns {"days", "rates"}: what changed.
create or replace function wallet_api.load_rates(p_days jsonb, p_source text, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_rates integer;
  v_days integer;
  v_first date;
  v_last date;
begin
  perform wallet.require_read_committed();
  perform finance.lock_rates(null);
  with given as (
    select d.key::date as day, q.key as quote, wallet.read_amount(q.value) as rate
    from jsonb_each(p_days) d, jsonb_each_text(d.value) q
  ), stored as (
    insert into finance.rates as r (book_id, base, quote, day, rate, source, updated_at)
      select null, 'EUR', g.quote, g.day, g.rate, p_source, v_now
      from given g join wallet.currencies c on c.code = g.quote where g.rate is not null and g.quote <> 'EUR'
      on conflict (book_id, base, quote, day) do update set rate = excluded.rate, source = excluded.source, updated_at = excluded.updated_at
        where r.rate <> excluded.rate and r.source <> 'manual'
      returning r.day
  )
  select count(*), count(distinct s.day), min(s.day), max(s.day) into v_rates, v_days, v_first, v_last from stored s;
  if v_rates > 0 then
    perform platform.record_change(p_caller, 'exchange_rates.loaded', 'service', null, jsonb_build_object('source', p_source,
      'count', v_rates, 'first_day', v_first, 'last_day', v_last));
  end if;
  return jsonb_build_object('days', v_days, 'rates', v_rates)::text;
end $$;

-- What the service has: {"newest": the newest day of its rates, "today", "has_history", "etag": of the provider's last response}.
-- p_url_hash: SHA-256 of its URL in hexadecimal digits, or null.
create or replace function wallet_api.read_rate_state(p_url_hash text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_build_object('newest', (select max(r.day) from finance.rates r where r.book_id is null),
    'today', (wallet.clock() at time zone 'UTC')::date,
    'has_history', exists (select from finance.rates r where r.book_id is null and r.source = 'ecb_history'),
    'etag', (select f.etag from finance.rate_feeds f where f.url_hash = decode(p_url_hash, 'hex')))::text;
end $$;

-- Keeps the ETag of the provider's last response, whose rates are stored.
create or replace function wallet_api.record_rate_feed(p_url_hash text, p_etag text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  insert into finance.rate_feeds as f (url_hash, etag, checked_at) values (decode(p_url_hash, 'hex'), p_etag, wallet.clock())
    on conflict (url_hash) do update set etag = excluded.etag, checked_at = excluded.checked_at;
  return 'null';
end $$;

-- Sets how old a rate may be (finance.rate_ages). Returns whether that changed.
create or replace function wallet_api.set_rate_ages(p_max_age_days integer, p_stale_age_days integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform wallet.require_read_committed();
  update finance.rate_ages a set max_age_days = p_max_age_days, stale_age_days = p_stale_age_days
    where (a.max_age_days, a.stale_age_days) <> (p_max_age_days, p_stale_age_days);
  return found::text;
end $$;
