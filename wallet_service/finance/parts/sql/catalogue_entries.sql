-- Gives parts to at most p_limit entries of a book that have none. The book is locked, so two that do this take turns, and the second
-- sees what the first wrote. Wallets with the least to do come first: a long history keeps no new entry waiting. Returns how many: fewer
-- than p_limit where entries have many parts (finance.bound_entries).
create or replace function finance.catalogue_entries(p_book finance.books, p_limit integer) returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_wallets uuid[];
  v_from bigint[];    -- the version after which each wallet's entries are taken, and the last one
  v_to bigint[];
  v_bound record;
begin
  with open as (
    select w.wallet_id, coalesce(k.done_version, 0) as done, w.last_entry
    from finance.list_wallets_of_book(p_book.book_id) w left join finance.catalogued k on k.wallet_id = w.wallet_id
    where w.last_entry > coalesce(k.done_version, 0)
  ), counted as (
    select o.*, sum(o.last_entry - o.done) over (order by o.last_entry - o.done, o.wallet_id) - (o.last_entry - o.done) as before
    from open o
  )
  select array_agg(c.wallet_id), array_agg(c.done), array_agg(least(c.last_entry, (c.done + p_limit - c.before)::bigint))
    into v_wallets, v_from, v_to from counted c where c.before < p_limit;
  if v_wallets is null then
    return 0;
  end if;
  v_bound := finance.bound_entries(v_wallets, v_from, v_to, p_limit);
  v_wallets := v_bound.wallets;
  v_from := v_bound.first;
  v_to := v_bound.last;
  insert into finance.catalogued as k (wallet_id, book_id, done_version)
    select e.wallet_id, p_book.book_id, e.last from unnest(v_wallets, v_to) e (wallet_id, last)
    on conflict (wallet_id) do update set done_version = excluded.done_version;
  perform finance.replace_parts(p_book.book_id, finance.list_default_parts(p_book, v_wallets, v_from, v_to, false), null, null);
  perform finance.write_given_parts(p_book, v_wallets, v_from, v_to);
  -- The original of a refund has its parts by now: it is an earlier entry of the same wallet.
  perform finance.replace_parts(p_book.book_id, finance.list_refunded_parts(p_book, v_wallets, v_from, v_to), null, null);
  perform finance.pair_entries(p_book, v_wallets, v_from, v_to);
  return (select sum(e.last - e.first) from unnest(v_from, v_to) e (first, last));
end $$;

-- The entries, from the first on, that get p_limit parts together, or one entry's parts more: 2,000 entries with 100 parts each would
-- keep the book locked for a minute. p_wallets, p_from, p_to: as of finance.catalogue_entries; the arrays that are returned likewise.
create or replace function finance.bound_entries(p_wallets uuid[], p_from bigint[], p_to bigint[], p_limit integer,
  out wallets uuid[], out first bigint[], out last bigint[])
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  with weighed as materialized (
    select e.place, e.wallet_id, e.first, t.wallet_version, greatest(1, jsonb_array_length(g.parts), o.parts) as parts
    from unnest(p_wallets, p_from, p_to) with ordinality e (wallet_id, first, last, place)
      join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version > e.first and t.wallet_version <= e.last
      left join finance.posting_parts g on g.transaction_id = t.transaction_id and g.leg = t.leg
      left join lateral (select count(*) as parts from wallet.wallet_transactions r
        join finance.parts p on p.wallet_id = r.wallet_id and p.wallet_version = r.wallet_version
        where r.transaction_id = t.original_transaction_id and r.leg = t.leg) o on t.original_transaction_id is not null
  ), summed as (
    select w.*, sum(w.parts) over (order by w.place, w.wallet_version) - w.parts as before from weighed w
  ), kept as (
    select s.place, s.wallet_id, s.first, max(s.wallet_version) as last from summed s where s.before < p_limit
    group by s.place, s.wallet_id, s.first
  )
  select array_agg(k.wallet_id order by k.place), array_agg(k.first order by k.place), array_agg(k.last order by k.place)
    into wallets, first, last from kept k;
end $$;

-- The parts of entries by default: one, in a system category. Not of refunds. p_given: those of entries whose parts came with the
-- posting, else those of the others.
create or replace function finance.list_default_parts(p_book finance.books, p_wallets uuid[], p_from bigint[], p_to bigint[],
  p_given boolean) returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_opening constant uuid := finance.find_system_category(p_book.book_id, 'opening_balance');
  v_exchange constant uuid := finance.find_system_category(p_book.book_id, 'exchange');
  v_own constant uuid := finance.find_system_category(p_book.book_id, 'own_transfers');
  v_income constant uuid := finance.find_system_category(p_book.book_id, 'uncategorised_income');
  v_expense constant uuid := finance.find_system_category(p_book.book_id, 'uncategorised_expense');
begin
  return array(select row(p_book.book_id, t.wallet_id, t.wallet_version, 0,
      finance.find_booking_day(t.effective_at, p_book.time_zone),
      case t.direction when 'credit' then t.amount else -t.amount end,
      case
        when t.transaction_type = 'adjustment' or t.counter_account in ('mirrored:opening', 'external:opening-balances') then v_opening
        when t.transaction_type = 'exchange' and t.counter_account not like 'revenue:%' then v_exchange
        when t.counter_account like 'wallet:%' and exists (select from wallet.wallets o
          where o.wallet_id = substr(t.counter_account, 8)::uuid
            and case when p_book.organization_id is not null then o.organization_id = p_book.organization_id
              else o.user_id = p_book.user_id and o.organization_id is null end) then v_own
        when t.direction = 'credit' then v_income
        else v_expense
      end, null, '{}', null, null, null, null, false, '')::finance.parts
    from unnest(p_wallets, p_from, p_to) e (wallet_id, first, last)
      join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version > e.first and t.wallet_version <= e.last
    where t.original_transaction_id is null
      and exists (select from finance.posting_parts g where g.transaction_id = t.transaction_id and g.leg = t.leg) = p_given);
end $$;

-- The parts of refunds: those of the entry that they give back, pro rata and negated.
create or replace function finance.list_refunded_parts(p_book finance.books, p_wallets uuid[], p_from bigint[], p_to bigint[])
returns finance.parts[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return array(with shared as (
    select t.wallet_id, t.wallet_version, finance.find_booking_day(t.effective_at, p_book.time_zone) as booked_on, o.parts, s.place,
      s.amount, row_number() over (partition by t.wallet_id, t.wallet_version order by s.place) - 1 as part
    from unnest(p_wallets, p_from, p_to) e (wallet_id, first, last)
      join wallet.wallet_transactions t on t.wallet_id = e.wallet_id and t.wallet_version > e.first and t.wallet_version <= e.last
      join wallet.currencies c on c.code = t.currency
      join wallet.wallet_transactions r on r.transaction_id = t.original_transaction_id and r.leg = t.leg
      cross join lateral (select array_agg(p order by p.part) as parts, array_agg(p.amount order by p.part) as amounts
        from finance.parts p where p.wallet_id = r.wallet_id and p.wallet_version = r.wallet_version) o
      cross join lateral unnest(finance.share_amount(case t.direction when 'credit' then t.amount else -t.amount end, o.amounts,
        c.exponent)) with ordinality s (amount, place)
    where t.original_transaction_id is not null and s.amount <> 0
  )
  select row(p_book.book_id, s.wallet_id, s.wallet_version, s.part, s.booked_on, s.amount, (s.parts[s.place]).category_id,
    (s.parts[s.place]).payee_id, (s.parts[s.place]).tag_ids, (s.parts[s.place]).payment_method_id, null, null, null,
    (s.parts[s.place]).edited, '')::finance.parts from shared s);
end $$;

-- The day of a moment in a zone, within the days of RFC 3339.
create or replace function finance.find_booking_day(p_at timestamptz, p_time_zone text) returns date
language sql stable as $$
  select least(greatest((p_at at time zone p_time_zone)::date, '0001-01-01'::date), '9999-12-31'::date)
$$;

-- The category into which the service books by default: the one that stands for the system category of this key or, where that was
-- deleted, its root.
create or replace function finance.find_system_category(p_book_id uuid, p_key text) returns uuid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_label_id uuid := (select l.label_id from finance.labels l where l.book_id = p_book_id and l.system_key = p_key);
begin
  if v_label_id is null then
    select l.label_id into v_label_id from finance.labels l where l.book_id = p_book_id and l.system_key = case p_key
      when 'uncategorised_income' then 'income' when 'uncategorised_expense' then 'expense' else 'transfer' end;
  end if;
  return (finance.find_label_path(v_label_id))[1];
end $$;
