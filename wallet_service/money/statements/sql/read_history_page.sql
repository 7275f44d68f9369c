-- A page of the history of some wallets, newest first, in two parts with a line end between them: an array of rows, and the
-- position of the last of them (or of the last one that was searched), nothing at the end. Each wallet is read backwards by its
-- primary key. p_filters has type, from, to, min_amount, max_amount, reference, counter_account, and metadata, an array of
-- [key, text] pairs. Filters without an index are applied to about 10,000 rows a call: a page may be short.
create or replace function wallet.read_history_page(p_wallet_ids uuid[], p_viewer text, p_filters jsonb,
  p_before_at timestamptz, p_before_wallet uuid, p_before_version bigint, p_limit integer) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_rows constant integer := 10000;
  v_type text := p_filters ->> 'type';
  v_min_amount numeric := p_filters ->> 'min_amount';
  v_max_amount numeric := p_filters ->> 'max_amount';
  v_reference text := p_filters ->> 'reference';
  v_counter_account text := p_filters ->> 'counter_account';
  v_metadata jsonb := p_filters -> 'metadata';
  v_window integer := p_limit;
begin
  if p_filters - '{from,to}'::text[] <> '{}' then
    v_window := greatest(v_window, c_most_rows / greatest(cardinality(p_wallet_ids), 1));
  end if;
  return (
    with windows as materialized (
      select w.* from wallet.find_history_windows(p_wallet_ids, (p_filters ->> 'from')::timestamptz,
        (p_filters ->> 'to')::timestamptz, p_before_at, p_before_wallet, p_before_version, v_window) w
    ), horizon as materialized (    -- rows before it may not have been read
      select t.created_at, t.wallet_id, t.wallet_version
      from windows w cross join lateral (select t.* from wallet.wallet_transactions t
        where w.more and t.wallet_id = w.wallet_id and t.wallet_version = w.above + 1 offset 0) t
      order by t.created_at desc, t.wallet_id desc, t.wallet_version desc limit 1
    ), found as materialized (
      select r.entry, w.exponent, row_number() over (order by (r.entry).created_at desc, (r.entry).wallet_id desc,
        (r.entry).wallet_version desc) as place
      from windows w cross join lateral (select t as entry from wallet.wallet_transactions t
        where t.wallet_id = w.wallet_id and t.wallet_version > w.above and t.wallet_version <= w.upto
          and not exists (select from horizon h
            where (t.created_at, t.wallet_id, t.wallet_version) < (h.created_at, h.wallet_id, h.wallet_version))
          and (v_type is null or t.transaction_type = v_type)
          and (v_min_amount is null or t.amount >= v_min_amount)
          and (v_max_amount is null or t.amount <= v_max_amount)
          and (v_reference is null or t.reference = v_reference)
          and (v_counter_account is null or t.counter_account = v_counter_account)
          and (v_metadata is null or not exists (select from jsonb_array_elements(v_metadata) m
            where (t.metadata ->> (m.value ->> 0)) is distinct from (m.value ->> 1)))
        offset 0) r
      order by place limit p_limit + 1
    ), last as (    -- the row after which the next page begins
      select (f.entry).created_at, (f.entry).wallet_id, (f.entry).wallet_version from found f
        where f.place = p_limit and exists (select from found where place > p_limit)
      union all
      select h.* from horizon h where not exists (select from found where place > p_limit)
    )
    select '[' || coalesce((select string_agg(wallet.format_entry(f.entry, f.exponent, p_viewer), ',' order by f.place)
        from found f where f.place <= p_limit), '') || E']\n'
      || coalesce((select json_build_array(wallet.format_time(l.created_at), l.wallet_id, l.wallet_version)::text
        from last l), ''));
end $$;

-- The rows to read for a page of some wallets' history: of each wallet the versions above "above", up to "upto", at most p_window
-- of them; "more": older ones are wanted and were left out. p_before…: the position of the last row of the previous page, in the
-- order (created_at, wallet_id, wallet_version).
create or replace function wallet.find_history_windows(p_wallet_ids uuid[], p_from timestamptz, p_to timestamptz,
  p_before_at timestamptz, p_before_wallet uuid, p_before_version bigint, p_window integer)
returns table (wallet_id uuid, exponent smallint, above bigint, upto bigint, more boolean)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  c_tick constant interval := '1 microsecond';
  v_wallet record;
  v_end bigint;
begin
  for v_wallet in select w.wallet_id, w.last_entry, c.exponent
    from wallet.wallets w join wallet.currencies c on c.code = w.currency where w.wallet_id = any (p_wallet_ids)
  loop
    wallet_id := v_wallet.wallet_id;
    exponent := v_wallet.exponent;
    upto := case
      when p_before_version is null then v_wallet.last_entry
      when v_wallet.wallet_id = p_before_wallet then greatest(least(v_wallet.last_entry, p_before_version - 1), 0)
      else wallet.find_version_at(v_wallet.wallet_id,
        case when v_wallet.wallet_id < p_before_wallet then p_before_at else p_before_at - c_tick end, v_wallet.last_entry)
      end;
    if p_to is not null then
      upto := wallet.find_version_at(v_wallet.wallet_id, p_to - c_tick, upto);
    end if;
    v_end := case when p_from is null then 0 else wallet.find_version_at(v_wallet.wallet_id, p_from - c_tick, upto) end;
    above := greatest(v_end, upto - p_window);
    more := above > v_end;
    if upto > above then
      return next;
    end if;
  end loop;
end $$;
