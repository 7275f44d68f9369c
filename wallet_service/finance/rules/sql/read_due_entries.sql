-- Entries of a book to which its rules were not applied yet, at most p_limit, with the rules: {"rules": as of finance.find_rule_list,
-- "progress": [{"wallet_id","first","last"}], "entries": […]}. Each wallet's entries are read in order and without gaps: those after
-- first, to last. p_known: the version of the list of rules that the caller has, or null. Without active rules nothing is due.
create or replace function wallet_api.read_due_entries(p_book_id uuid, p_known bigint, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_rules jsonb;
  v_progress jsonb;
  v_entries finance.parts[];
begin
  if not exists (select from finance.rules r where r.book_id = p_book_id and r.active) then
    return '{"rules":null,"progress":[],"entries":[]}';
  end if;
  with due as (
    select k.wallet_id, coalesce(r.done_version, 0) as first, k.done_version as last
    from finance.catalogued k left join finance.ruled r on r.wallet_id = k.wallet_id
    where k.book_id = p_book_id and k.done_version > coalesce(r.done_version, 0)
  ), numbered as (
    select d.*, sum(d.last - d.first) over (order by d.wallet_id) - (d.last - d.first) as before from due d
  )
  select coalesce(jsonb_agg(jsonb_build_object('wallet_id', n.wallet_id, 'first', n.first,
      'last', least(n.last, n.first + p_limit - n.before)) order by n.wallet_id), '[]')
    into v_progress from numbered n where n.before < p_limit;
  if v_progress = '[]' then
    return '{"rules":null,"progress":[],"entries":[]}';
  end if;
  v_rules := finance.find_rule_list(p_book_id, null, p_known);
  v_entries := array(select p from jsonb_to_recordset(v_progress) w (wallet_id uuid, first bigint, last bigint)
    join finance.parts p on p.wallet_id = w.wallet_id and p.wallet_version > w.first and p.wallet_version <= w.last);
  return '{"rules":' || v_rules::text || ',"progress":' || v_progress::text || ',"entries":' || finance.format_rule_entries(v_entries) || '}';
end $$;

-- The books, of p_limit after p_after, that have active rules, and whether entries are due: {"books":[…],"next"}.
create or replace function wallet_api.list_due_books(p_after uuid, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (with page as materialized (
    select l.book_id from finance.rule_lists l where p_after is null or l.book_id > p_after order by l.book_id limit least(p_limit, 1000)
  )
  select json_build_object(
    'books', (select coalesce(json_agg(p.book_id order by p.book_id), '[]') from page p
      where exists (select from finance.rules r where r.book_id = p.book_id and r.active)
        and exists (select from finance.catalogued k left join finance.ruled r on r.wallet_id = k.wallet_id
          where k.book_id = p.book_id and k.done_version > coalesce(r.done_version, 0))),
    'next', (select p.book_id from page p order by p.book_id desc limit 1))::text);
end $$;

-- A page of entries of a book with their parts, by day: {"entries": […], "next": {day, wallet_id, wallet_version} or null}. p_wallet_id:
-- those of one wallet; p_from, p_to: of these days, half open; null: any. p_newest: the newest first, without next pages. p_after: next of the last.
create or replace function wallet_api.read_rule_entries(p_book_id uuid, p_wallet_id uuid, p_from text, p_to text, p_newest boolean,
  p_after jsonb, p_limit integer) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c_first constant uuid := '00000000-0000-0000-0000-000000000000';
  v_day constant date := greatest(coalesce((p_after ->> 'day')::date, '0001-01-01'), coalesce(p_from::date, '0001-01-01'));
  v_to constant date := coalesce(p_to::date - 1, '9999-12-31');
  v_wallet_id constant uuid := coalesce((p_after ->> 'wallet_id')::uuid, c_first);
  v_version constant bigint := coalesce((p_after ->> 'wallet_version')::bigint, 0);
  v_heads finance.parts[];
  v_last finance.parts;
begin
  if p_newest then
    v_heads := array(select p from finance.parts p
      where p.book_id = p_book_id and p.booked_on between v_day and v_to and p.part = 0
        and (p_wallet_id is null or p.wallet_id = p_wallet_id)
      order by p.booked_on desc, p.wallet_id desc, p.wallet_version desc limit p_limit);
  elsif p_wallet_id is null then
    v_heads := array(select p from finance.parts p
      where p.book_id = p_book_id and p.booked_on between v_day and v_to and p.part = 0
        and (p.booked_on, p.wallet_id, p.wallet_version) > (v_day, v_wallet_id, v_version)
      order by p.booked_on, p.wallet_id, p.wallet_version limit p_limit);
  else
    v_heads := array(select p from finance.parts p
      where p.book_id = p_book_id and p.wallet_id = p_wallet_id and p.booked_on between v_day and v_to and p.part = 0
        and (p.booked_on, p.wallet_version) > (v_day, v_version)
      order by p.booked_on, p.wallet_version limit p_limit);
  end if;
  v_last := v_heads[cardinality(v_heads)];
  return '{"entries":' || finance.format_rule_entries(array(select p from unnest(v_heads) h
      join finance.parts p on p.wallet_id = h.wallet_id and p.wallet_version = h.wallet_version)) || ',"next":'
    || case when not p_newest and cardinality(v_heads) = p_limit then jsonb_build_object('day', v_last.booked_on,
      'wallet_id', v_last.wallet_id, 'wallet_version', v_last.wallet_version)::text else 'null' end || '}';
end $$;

-- Entries with all their parts, as rules are applied to them: an array of {wallet_id, wallet_version, transaction_type, direction,
-- currency, exponent, counter_account, reference, description, pair_id, parts}, by day. parts is the state that write_ruled_parts compares.
create or replace function finance.format_rule_entries(p_parts finance.parts[]) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return (select coalesce(json_agg(json_build_object('wallet_id', t.wallet_id, 'wallet_version', t.wallet_version,
      'transaction_type', t.transaction_type, 'direction', t.direction, 'currency', t.currency, 'exponent', c.exponent,
      'counter_account', t.counter_account, 'reference', t.reference, 'description', t.description, 'pair_id', h.pair_id,
      'parts', s.parts) order by h.booked_on, t.wallet_id, t.wallet_version), '[]')::text
    from finance.format_part_states(p_parts) s
      join unnest(p_parts) h on h.wallet_id = s.wallet_id and h.wallet_version = s.wallet_version and h.part = 0
      join wallet.wallet_transactions t on t.wallet_id = s.wallet_id and t.wallet_version = s.wallet_version
      join wallet.currencies c on c.code = t.currency);
end $$;
