-- Sets rates of the service (p_book_id null) or of a book, all or none; a rate that is null is removed. p_rates: [{base, quote, day,
-- rate}], a pair and a day once. Returns {"rates": [what is stored of these now]}.
create or replace function wallet_api.put_rates(p_book_id uuid, p_rates jsonb, p_caller jsonb) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_fault text[];
  v_before jsonb;
  v_after jsonb;
begin
  perform wallet.require_read_committed();
  perform finance.lock_rates(p_book_id);
  v_fault := finance.find_rates_fault(p_book_id, p_rates, v_now);
  if v_fault is not null then
    perform wallet.refuse_call('validation_failed', wallet.build_fault(v_fault[1], v_fault[2]));
  end if;
  v_before := finance.list_named_rates(p_book_id, p_rates);
  delete from finance.rates r using jsonb_to_recordset(p_rates) as n (base text, quote text, day date, rate text)
    where n.rate is null and r.book_id is not distinct from p_book_id and (r.base, r.quote, r.day) = (n.base, n.quote, n.day);
  insert into finance.rates as r (book_id, base, quote, day, rate, source, updated_at)
    select p_book_id, n.base, n.quote, n.day, wallet.read_amount(n.rate), 'manual', v_now
    from jsonb_to_recordset(p_rates) as n (base text, quote text, day date, rate text) where n.rate is not null
    on conflict (book_id, base, quote, day) do update set rate = excluded.rate, source = excluded.source, updated_at = excluded.updated_at
      where (r.rate, r.source) is distinct from (excluded.rate, excluded.source);
  v_after := finance.list_named_rates(p_book_id, p_rates);
  if v_before is distinct from v_after then
    perform platform.record_change(p_caller, 'exchange_rates.updated', coalesce(p_book_id::text, 'service'),
      jsonb_build_object('book_id', p_book_id, 'source', 'manual', 'count', jsonb_array_length(v_before), 'rates', v_before),
      jsonb_build_object('book_id', p_book_id, 'source', 'manual', 'count', jsonb_array_length(v_after), 'rates', v_after),
      (select b.user_id from finance.books b where b.book_id = p_book_id));
  end if;
  return jsonb_build_object('rates', v_after)::text;
end $$;

-- Locks the rates of a book, or those of the service, so that events have the order of the changes.
create or replace function finance.lock_rates(p_book_id uuid) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if p_book_id is null then
    perform from finance.rate_ages a for no key update;
  else
    perform from finance.books b where b.book_id = p_book_id for no key update;
  end if;
end $$;

-- The first rate that can't be stored, as pointer and detail; null: all can.
create or replace function finance.find_rates_fault(p_book_id uuid, p_rates jsonb, p_now timestamptz) returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_zone constant text := coalesce((select b.time_zone from finance.books b where b.book_id = p_book_id), 'UTC');
  v_today constant date := finance.find_book_day(p_now, v_zone);
begin
  return (
    select array['/rates/' || n.place - 1 || f.member, f.detail]
    from rows from (jsonb_to_recordset(p_rates) as (base text, quote text, day date, rate text)) with ordinality
        as n (base, quote, day, rate, place),
      lateral (values
        (1, '/base', 'is no currency of the ledger', not exists (select from wallet.currencies c where c.code = n.base)),
        (2, '/quote', 'is no currency of the ledger', not exists (select from wallet.currencies c where c.code = n.quote)),
        (3, '/quote', 'must be another currency than base', n.base = n.quote),
        (4, '/day', 'must not be after today, ' || v_today, n.day > v_today),
        (5, '/rate', 'must be a decimal number above 0 of at most 20 digits before the point and 18 after it',
          n.rate is not null and (wallet.read_amount(n.rate) is null or scale(wallet.read_amount(n.rate)) > 18)),
        (6, '/day', 'the rate of a currency that joined the euro is fixed from that day', 'EUR' in (n.base, n.quote) and exists (
          select from finance.euro_rates e where e.currency in (n.base, n.quote) and n.day >= e.joined_on)),
        (7, '', 'is given twice', (select count(*) > 1 from jsonb_to_recordset(p_rates) as o (base text, quote text, day date)
          where (o.base, o.quote, o.day) = (n.base, n.quote, n.day)))
      ) as f (number, member, detail, holds)
    where f.holds order by n.place, f.number limit 1);
end $$;

-- What is stored of the rates that a request names, in its order.
create or replace function finance.list_named_rates(p_book_id uuid, p_rates jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((
    select jsonb_agg(finance.format_stored_rate(r)::jsonb order by n.place)
    from rows from (jsonb_to_recordset(p_rates) as (base text, quote text, day date)) with ordinality as n (base, quote, day, place)
      join finance.rates r on r.book_id is not distinct from p_book_id and (r.base, r.quote, r.day) = (n.base, n.quote, n.day)), '[]');
end $$;

-- A stored rate as its readers see it.
create or replace function finance.format_stored_rate(p_rate finance.rates) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select row_to_json(v)::text from (select p_rate.book_id, p_rate.base, p_rate.quote, p_rate.day,
    trim_scale(p_rate.rate)::text as rate, p_rate.source, wallet.format_time(p_rate.updated_at) as updated_at) v);
end $$;
