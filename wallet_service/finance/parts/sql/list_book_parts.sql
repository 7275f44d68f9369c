-- A page of the parts of a book, newest first: a JSON array, and on a line of its own the place after which the next page begins.
-- p_filters: category_id (with all under it), payee_id, tag_id, wallet_id, type (the root: income,
-- expense, transfer; or what posted it: refund, adjustment), uncategorized
-- (true), from and to (days, half open), amount_from and amount_to (without sign, inclusive), text (all of its words). p_before: the
-- place of the previous page. A page reads a bounded number of parts: it may have fewer than p_limit, even none, and a next place.
create or replace function wallet_api.list_book_parts(p_book_id uuid, p_filters jsonb, p_before jsonb, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set jit = off as $$
declare
  c_most_read constant integer := 10000;
  v_filter finance.part_filter := finance.read_part_filter(p_book_id, p_filters);
  v_before finance.parts := jsonb_populate_record(null::finance.parts, coalesce(p_before, '{"booked_on": "infinity",
    "wallet_id": "ffffffff-ffff-ffff-ffff-ffffffffffff", "wallet_version": 9223372036854775807, "part": 32767}'));
  v_sources integer;
  v_window integer;
  v_page record;
begin
  if finance.is_rare(p_book_id, v_filter, 5000) then
    select array_agg(f.part order by (f.part).booked_on desc, (f.part).wallet_id desc, (f.part).wallet_version desc,
        (f.part).part desc) as parts, null::finance.parts as horizon into v_page
      from finance.list_rare_parts(p_book_id, v_filter, v_before, p_limit + 1) f;
  else
    v_sources := greatest(cardinality(coalesce(v_filter.payees, v_filter.categories)), 1);
    -- Each index gives what its filter asks for: more is read only where another filter drops some.
    v_window := case when num_nonnulls(v_filter.payees, v_filter.categories, v_filter.wallet_id) <= 1
        and num_nonnulls(v_filter.tags, v_filter.query, v_filter.least, v_filter.most, v_filter.kind) = 0
      then p_limit + 1 else greatest(p_limit + 1, c_most_read / v_sources) end;
    select * into v_page from finance.read_part_page(p_book_id, v_filter, v_before, v_window, p_limit + 1);
  end if;
  return finance.format_part_page(v_page.parts, v_page.horizon, p_limit);
end $$;

-- A page of parts as text. p_parts: in order, one more than the page has if there is a next one. p_horizon: parts after it were not
-- read.
create or replace function finance.format_part_page(p_parts finance.parts[], p_horizon finance.parts, p_limit integer) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_last finance.parts := case when cardinality(p_parts) > p_limit then p_parts[p_limit] else p_horizon end;
begin
  return '[' || coalesce((select string_agg((finance.format_part(p_parts[i], c.exponent)::jsonb || jsonb_build_object(
        'wallet_id', t.wallet_id, 'wallet_version', t.wallet_version, 'booked_on', (p_parts[i]).booked_on,
        'transaction_id', t.transaction_id, 'transaction_type', t.transaction_type, 'currency', t.currency,
        'counter_account', t.counter_account, 'reference', t.reference, 'description', t.description,
        'pair_id', (p_parts[i]).pair_id))::text, ',' order by i)
      from generate_subscripts(p_parts, 1) i
        join wallet.wallet_transactions t on t.wallet_id = (p_parts[i]).wallet_id and t.wallet_version = (p_parts[i]).wallet_version
        join wallet.currencies c on c.code = t.currency
      where i <= p_limit), '') || E']\n'
    || case when v_last.wallet_id is not null then jsonb_build_object('booked_on', v_last.booked_on, 'wallet_id', v_last.wallet_id,
      'wallet_version', v_last.wallet_version, 'part', v_last.part)::text else '' end;
end $$;

-- What the filters of a list select. A label is followed to the one that stands for it, and taken with all that is under that one.
create or replace function finance.read_part_filter(p_book_id uuid, p_filters jsonb) returns finance.part_filter
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_filter finance.part_filter;
  v_sets uuid[];
begin
  v_filter.categories := case when p_filters ? 'category_id' then finance.expand_labels(p_book_id, 'category',
    array[(finance.find_label((p_filters ->> 'category_id')::uuid, p_book_id, 'category')).label_id], true) end;
  if p_filters ->> 'type' in ('refund', 'adjustment') then
    v_filter.kind := p_filters ->> 'type';
  elsif p_filters ? 'type' then
    v_sets := finance.expand_labels(p_book_id, 'category', array(select l.label_id from finance.labels l
      where l.book_id = p_book_id and l.system_key = p_filters ->> 'type' and l.parent_id is null), true);
    v_filter.categories := case when v_filter.categories is null then v_sets
      else array(select unnest(v_filter.categories) intersect select unnest(v_sets)) end;
  end if;
  if (p_filters ->> 'uncategorized')::boolean then
    v_sets := finance.expand_labels(p_book_id, 'category', array[finance.find_system_category(p_book_id, 'uncategorised_income'),
      finance.find_system_category(p_book_id, 'uncategorised_expense')], false);
    v_filter.categories := case when v_filter.categories is null then v_sets
      else array(select unnest(v_filter.categories) intersect select unnest(v_sets)) end;
  end if;
  v_filter.payees := case when p_filters ? 'payee_id' then finance.expand_labels(p_book_id, 'payee',
    array[(finance.find_label((p_filters ->> 'payee_id')::uuid, p_book_id, 'payee')).label_id], true) end;
  v_filter.tags := case when p_filters ? 'tag_id' then finance.expand_labels(p_book_id, 'tag',
    array[(finance.find_label((p_filters ->> 'tag_id')::uuid, p_book_id, 'tag')).label_id], true) end;
  v_filter.wallet_id := (p_filters ->> 'wallet_id')::uuid;
  v_filter.first := (p_filters ->> 'from')::date;
  v_filter.last := (p_filters ->> 'to')::date;
  v_filter.least := wallet.read_balance(p_filters ->> 'amount_from');
  v_filter.most := wallet.read_balance(p_filters ->> 'amount_to');
  v_filter.query := case when p_filters ->> 'text' is not null
    then array_to_tsvector(array[p_book_id::text])::text::tsquery && plainto_tsquery('pg_catalog.simple', p_filters ->> 'text') end;
  return v_filter;
end $$;

-- Labels as they are stored in parts: those that stand for these, what was merged into them and, with p_below, all under them. Each
-- once.
create or replace function finance.expand_labels(p_book_id uuid, p_kind text, p_label_ids uuid[], p_below boolean default true)
returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  return (
    with recursive found (label_id) as (
      select (finance.find_label_path(g.label_id))[1] from unnest(p_label_ids) g (label_id)
      union
      select l.label_id from found f join finance.labels l on l.book_id = p_book_id and l.kind = p_kind
        and (l.merged_into = f.label_id or p_below and l.parent_id = f.label_id and l.merged_into is null)
    )
    select coalesce(array_agg(f.label_id), '{}') from found f where f.label_id is not null);
end $$;
