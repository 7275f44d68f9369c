-- The newest parts of a selection before a place, at most p_most. p_window: how many are read from each index. p_horizon: null, or the
-- part up to which all were read.
create or replace function finance.read_part_page(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_window integer, p_most integer, out parts finance.parts[], out horizon finance.parts)
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_found finance.found_part[];
begin
  v_found := case when p_filter.payees is not null then finance.read_payee_parts(p_book_id, p_filter, p_before, p_window)
    when p_filter.categories is not null then finance.read_category_parts(p_book_id, p_filter, p_before, p_window)
    when p_filter.wallet_id is not null then finance.read_wallet_parts(p_book_id, p_filter, p_before, p_window)
    else finance.read_day_parts(p_book_id, p_filter, p_before, p_window) end;
  select (f.part).* into horizon from unnest(v_found) f where f.place = p_window
    order by (f.part).booked_on desc, (f.part).wallet_id desc, (f.part).wallet_version desc, (f.part).part desc limit 1;
  parts := array(select f.part from unnest(v_found) f
    where finance.is_part_shown(f.part, p_filter) and (horizon.wallet_id is null
      or ((f.part).booked_on, (f.part).wallet_id, (f.part).wallet_version, (f.part).part)
        >= (horizon.booked_on, horizon.wallet_id, horizon.wallet_version, horizon.part))
    order by (f.part).booked_on desc, (f.part).wallet_id desc, (f.part).wallet_version desc, (f.part).part desc limit p_most);
end $$;

-- The newest parts of each payee of a selection.
create or replace function finance.read_payee_parts(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_window integer) returns finance.found_part[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  return array(select row(f.part, s.label_id, f.place)::finance.found_part from unnest(p_filter.payees) s (label_id)
    cross join lateral (select p as part, row_number() over (order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc,
        p.part desc) as place
      from finance.parts p where p.book_id = p_book_id and p.payee_id = s.label_id
        and p.booked_on >= coalesce(p_filter.first, '-infinity') and p.booked_on < coalesce(p_filter.last, 'infinity')
        and (p.booked_on, p.wallet_id, p.wallet_version, p.part)
          < (p_before.booked_on, p_before.wallet_id, p_before.wallet_version, p_before.part)
      order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc limit p_window) f);
end $$;

-- The newest parts of each category of a selection.
create or replace function finance.read_category_parts(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_window integer) returns finance.found_part[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  return array(select row(f.part, s.label_id, f.place)::finance.found_part from unnest(p_filter.categories) s (label_id)
    cross join lateral (select p as part, row_number() over (order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc,
        p.part desc) as place
      from finance.parts p where p.book_id = p_book_id and p.category_id = s.label_id
        and p.booked_on >= coalesce(p_filter.first, '-infinity') and p.booked_on < coalesce(p_filter.last, 'infinity')
        and (p.booked_on, p.wallet_id, p.wallet_version, p.part)
          < (p_before.booked_on, p_before.wallet_id, p_before.wallet_version, p_before.part)
      order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc limit p_window) f);
end $$;

-- The newest parts of the wallet of a selection.
create or replace function finance.read_wallet_parts(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_window integer) returns finance.found_part[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  return array(select row(f.part, p_filter.wallet_id, f.place)::finance.found_part from (
    select p as part, row_number() over (order by p.booked_on desc, p.wallet_version desc, p.part desc) as place
    from finance.parts p where p.book_id = p_book_id and p.wallet_id = p_filter.wallet_id
      and p.booked_on >= coalesce(p_filter.first, '-infinity') and p.booked_on < coalesce(p_filter.last, 'infinity')
      and (p.booked_on, p.wallet_version, p.part) < (p_before.booked_on, p_before.wallet_version, p_before.part)
    order by p.booked_on desc, p.wallet_version desc, p.part desc limit p_window) f);
end $$;

-- The newest parts of the days of a selection.
create or replace function finance.read_day_parts(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_window integer) returns finance.found_part[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
  return array(select row(f.part, p_book_id, f.place)::finance.found_part from (
    select p as part, row_number() over (order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc) as place
    from finance.parts p where p.book_id = p_book_id
      and p.booked_on >= coalesce(p_filter.first, '-infinity') and p.booked_on < coalesce(p_filter.last, 'infinity')
      and (p.booked_on, p.wallet_id, p.wallet_version, p.part)
        < (p_before.booked_on, p_before.wallet_id, p_before.wallet_version, p_before.part)
    order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc limit p_window) f);
end $$;

-- Whether a part of the book belongs to a selection.
create or replace function finance.is_part_shown(p_part finance.parts, p_filter finance.part_filter) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  return (p_filter.categories is null or p_part.category_id = any (p_filter.categories))
    and (p_filter.payees is null or p_part.payee_id = any (p_filter.payees))
    and (p_filter.tags is null or p_part.tag_ids && p_filter.tags)
    and (p_filter.wallet_id is null or p_part.wallet_id = p_filter.wallet_id)
    and (p_filter.first is null or p_part.booked_on >= p_filter.first)
    and (p_filter.last is null or p_part.booked_on < p_filter.last)
    and (p_filter.least is null or abs(p_part.amount) >= p_filter.least)
    and (p_filter.most is null or abs(p_part.amount) <= p_filter.most)
    and (p_filter.query is null or p_part.words @@ p_filter.query)
    and (p_filter.kind is null or exists (select from wallet.wallet_transactions t where t.wallet_id = p_part.wallet_id
      and t.wallet_version = p_part.wallet_version and t.transaction_type = p_filter.kind));
end $$;

-- Whether a selection is by words, tags or amounts that few parts have: at most p_most, of all days.
create or replace function finance.is_rare(p_book_id uuid, p_filter finance.part_filter, p_most integer) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
begin
  if p_filter.query is not null then
    return (select count(*) <= p_most from (select from finance.parts p where p.words <> '' and p.words @@ p_filter.query
      limit p_most + 1) s);
  elsif p_filter.tags is not null then
    return (select count(*) <= p_most from (select from finance.parts p where p.tag_ids <> '{}' and p.tag_ids && p_filter.tags
      limit p_most + 1) s);
  elsif p_filter.least is not null or p_filter.most is not null then
    return (select count(*) <= p_most from (select from finance.parts p where p.book_id = p_book_id
        and p.amount >= coalesce(p_filter.least, 0) and p.amount <= coalesce(p_filter.most, 'infinity')
      union all select from finance.parts p where p.book_id = p_book_id
        and p.amount <= -coalesce(p_filter.least, 0) and p.amount >= -coalesce(p_filter.most, 'infinity')
      limit p_most + 1) s);
  end if;
  return false;
end $$;

-- The newest parts of a selection that is rare, before a place.
create or replace function finance.list_rare_parts(p_book_id uuid, p_filter finance.part_filter, p_before finance.parts,
  p_most integer) returns setof finance.found_part
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_parts finance.parts[];
begin
  if p_filter.query is not null then
    v_parts := array(select p from finance.parts p where p.words <> '' and p.words @@ p_filter.query);
  elsif p_filter.tags is not null then
    v_parts := array(select p from finance.parts p where p.tag_ids <> '{}' and p.tag_ids && p_filter.tags);
  else
    v_parts := array(select p from finance.parts p where p.book_id = p_book_id
        and p.amount >= coalesce(p_filter.least, 0) and p.amount <= coalesce(p_filter.most, 'infinity')
      union all select p from finance.parts p where p.book_id = p_book_id
        and p.amount <= -coalesce(p_filter.least, 0) and p.amount >= -coalesce(p_filter.most, 'infinity'));
  end if;
  return query select p, p_book_id, 0::bigint from unnest(v_parts) p
    where p.book_id = p_book_id and finance.is_part_shown(p, p_filter)
      and (p.booked_on, p.wallet_id, p.wallet_version, p.part)
        < (p_before.booked_on, p_before.wallet_id, p_before.wallet_version, p_before.part)
    order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc, p.part desc limit p_most;
end $$;
