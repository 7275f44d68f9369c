-- Compares entries of catalogued wallets with their parts: p_limit entries after a place. An entry and its parts are written once
-- and changed as a whole. Returns {checked, next, faults: [{check, wallet_id}]}.
create or replace function wallet_api.verify_parts(p_after_wallet uuid default null, p_after_version bigint default 0,
  p_limit integer default 5000) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_wallet finance.catalogued;
  v_owner uuid;
  v_first bigint;
  v_last bigint;
  v_past boolean;    -- there are parts beyond the last catalogued entry
begin
  select * into v_wallet from finance.catalogued k
    where p_after_wallet is null or k.wallet_id > p_after_wallet or k.wallet_id = p_after_wallet and k.done_version > p_after_version
    order by k.wallet_id limit 1;
  if not found then
    return json_build_object('checked', 0, 'next', null, 'faults', '[]'::json)::text;
  end if;
  v_first := case when v_wallet.wallet_id = p_after_wallet then p_after_version else 0 end;
  v_last := least(v_first + least(p_limit, 20000), v_wallet.done_version);
  v_owner := (select finance.find_book_of_wallet(w.user_id, w.organization_id) from wallet.wallets w where w.wallet_id = v_wallet.wallet_id);
  v_past := v_last = v_wallet.done_version and exists (select from finance.parts p
    where p.wallet_id = v_wallet.wallet_id and p.wallet_version > v_last);
  return (with seen as materialized (
    select g.version, case t.direction when 'credit' then t.amount else -t.amount end as entry, c.exponent, p.*
    from generate_series(v_first + 1, v_last) g (version)
      left join wallet.wallet_transactions t on t.wallet_id = v_wallet.wallet_id and t.wallet_version = g.version
      left join wallet.currencies c on c.code = t.currency
      left join lateral (select sum(q.amount) as total, count(*) as parts, min(q.part) as first, max(q.part) as last,
          count(distinct q.booked_on) as days, max(min_scale(q.amount)) as scale, bool_and(q.book_id = v_wallet.book_id) as in_book,
          bool_and(finance.has_labels(q)) as labelled, bool_and(q.amount <> 0) as any_amount,
          bool_and(q.pair_id is null or exists (select from finance.pairs o where o.pair_id = q.pair_id and o.state = 'paired'
            and (q.wallet_id, q.wallet_version) in ((o.debit_wallet_id, o.debit_version), (o.credit_wallet_id, o.credit_version)))) as paired
        from finance.parts q where q.wallet_id = v_wallet.wallet_id and q.wallet_version = g.version) p on true
  ), faults as (
    select distinct f.name from seen s, lateral (values
      ('parts of an entry', s.total = s.entry and s.scale <= s.exponent and s.any_amount),
      ('part numbers', s.first = 0 and s.last = s.parts - 1 and s.days = 1),
      ('part labels', s.labelled),
      ('parts in the book', s.in_book and v_owner = v_wallet.book_id),
      ('pairs', s.paired)
    ) as f (name, holds) where f.holds is not true
    union select 'catalogued' where v_past
  )
  select json_build_object('checked', v_last - v_first,
    'next', json_build_object('after_wallet', v_wallet.wallet_id, 'after_version', v_last),
    'faults', (select coalesce(json_agg(json_build_object('check', f.name, 'wallet_id', v_wallet.wallet_id)), '[]') from faults f))::text);
end $$;

-- Whether the labels of a part are its book's.
create or replace function finance.has_labels(p_part finance.parts) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return exists (select from finance.labels l where l.label_id = p_part.category_id and l.book_id = p_part.book_id and l.kind = 'category')
    and (p_part.payee_id is null or exists (select from finance.labels l
      where l.label_id = p_part.payee_id and l.book_id = p_part.book_id and l.kind = 'payee'))
    and not exists (select from unnest(p_part.tag_ids) g (tag_id) where not exists (select from finance.labels l
      where l.label_id = g.tag_id and l.book_id = p_part.book_id and l.kind = 'tag'));
end $$;

-- Compares the sums of days with the parts: those of p_days days of one book after a place. Returns {checked, next, faults}.
create or replace function wallet_api.verify_day_sums(p_after_book uuid default null, p_after_day date default '-infinity',
  p_days integer default 31) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_book_id uuid := coalesce(p_after_book, (select b.book_id from finance.books b order by b.book_id limit 1));
  v_from date;
  v_to date;
begin
  loop
    v_from := least((select p.booked_on from finance.parts p where p.book_id = v_book_id and p.booked_on > p_after_day
        order by p.booked_on limit 1),
      (select s.booked_on from finance.day_sums s where s.book_id = v_book_id and s.booked_on > p_after_day order by s.booked_on limit 1));
    exit when v_book_id is null or v_from is not null;
    p_after_day := '-infinity';
    v_book_id := (select b.book_id from finance.books b where b.book_id > v_book_id order by b.book_id limit 1);
  end loop;
  if v_book_id is null then
    return json_build_object('checked', 0, 'next', null, 'faults', '[]'::json)::text;
  end if;
  v_to := least(v_from, '9999-12-31'::date - p_days) + p_days - 1;
  return (with kept as materialized (
    select s.booked_on, s.category_id, s.wallet_id, s.parts, s.credits, s.debits from finance.day_sums s
    where s.book_id = v_book_id and s.booked_on between v_from and v_to
  ), counted as materialized (
    select p.booked_on, p.category_id, p.wallet_id, count(*) as parts, coalesce(sum(p.amount) filter (where p.amount > 0), 0) as credits,
      coalesce(-sum(p.amount) filter (where p.amount < 0), 0) as debits
    from finance.parts p where p.book_id = v_book_id and p.booked_on between v_from and v_to
    group by grouping sets ((p.booked_on, p.wallet_id, p.category_id), (p.booked_on, p.wallet_id))
  ), faults as (
    (select k.wallet_id from (table kept except table counted) k) union (select c.wallet_id from (table counted except table kept) c)
  )
  select json_build_object('checked', (select count(*) from kept),
    'next', json_build_object('after_book', v_book_id, 'after_day', v_to),
    'faults', (select coalesce(json_agg(json_build_object('check', 'day sums', 'wallet_id', f.wallet_id)), '[]') from faults f))::text);
end $$;

-- Compares the sums of all days of wallets with their balances: those of p_limit catalogued wallets after p_after. Returns {checked,
-- next, faults}.
create or replace function wallet_api.verify_catalogued(p_after uuid default null, p_limit integer default 20) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  return (with page as materialized (
    select k.* from finance.catalogued k where p_after is null or k.wallet_id > p_after order by k.wallet_id limit least(p_limit, 1000)
  ), faults as (
    select p.wallet_id from page p
      left join wallet.wallet_transactions t on t.wallet_id = p.wallet_id and t.wallet_version = p.done_version
    where t.balance_after is distinct from (select sum(s.credits - s.debits) from finance.day_sums s
      where s.book_id = p.book_id and s.wallet_id = p.wallet_id and s.category_id is null)
  )
  select json_build_object('checked', (select count(*) from page),
    'next', (select json_build_object('after', p.wallet_id) from page p order by p.wallet_id desc limit 1),
    'faults', (select coalesce(json_agg(json_build_object('check', 'balance of parts', 'wallet_id', f.wallet_id)), '[]') from faults f))::text);
end $$;
