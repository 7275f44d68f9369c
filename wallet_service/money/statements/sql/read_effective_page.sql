-- As wallet.read_history_page, in the order of effective time, and "from" and "to" are effective times. Two sequences are merged: rows
-- that are effective when they were posted, backwards by the primary key, and the others, by the partial index
-- wallet_transactions_effective.
create or replace function wallet.read_effective_page(p_wallet_ids uuid[], p_viewer text, p_filters jsonb,
  p_before_at timestamptz, p_before_wallet uuid, p_before_version bigint, p_limit integer) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c_most_rows constant integer := 10000;
  c_last_wallet constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_from timestamptz := coalesce((p_filters ->> 'from')::timestamptz, '-infinity');
  v_to timestamptz := coalesce((p_filters ->> 'to')::timestamptz, 'infinity');
  v_metadata jsonb := p_filters -> 'metadata';
  v_window constant integer := greatest(p_limit + 1, c_most_rows / greatest(cardinality(p_wallet_ids), 1));
begin
  return (
    with windows as materialized (    -- up to the moment of the last row; the rows at that moment are sorted out below
      select w.* from wallet.find_history_windows(p_wallet_ids, (p_filters ->> 'from')::timestamptz,
        (p_filters ->> 'to')::timestamptz, p_before_at, case when p_before_at is not null then c_last_wallet end,
        p_before_version, v_window) w
    ), others as materialized (
      select r.entry, row_number() over (partition by (r.entry).wallet_id
        order by (r.entry).effective_at desc, (r.entry).wallet_version desc) as place
      from unnest(p_wallet_ids) w (wallet_id) cross join lateral (select t as entry from wallet.wallet_transactions t
        where t.wallet_id = w.wallet_id and t.effective_at <> t.created_at
          and t.effective_at >= v_from and t.effective_at < v_to and t.effective_at <= coalesce(p_before_at, 'infinity')
          and (p_before_at is null
            or (t.effective_at, t.wallet_id, t.wallet_version) < (p_before_at, p_before_wallet, p_before_version))
        order by t.effective_at desc, t.wallet_version desc limit v_window + 1) r
    ), horizon as materialized (    -- rows before it may not have been read
      select h.* from (
        select t.created_at, t.wallet_id, t.wallet_version
        from windows w cross join lateral (select t.* from wallet.wallet_transactions t
          where w.more and t.wallet_id = w.wallet_id and t.wallet_version = w.above + 1 offset 0) t
        union all
        select (o.entry).effective_at, (o.entry).wallet_id, (o.entry).wallet_version from others o
        where o.place = v_window and exists (select from others n
          where n.place = v_window + 1 and (n.entry).wallet_id = (o.entry).wallet_id)
      ) h order by 1 desc, 2 desc, 3 desc limit 1
    ), read as (
      select r.entry from windows w cross join lateral (select t as entry from wallet.wallet_transactions t
        where t.wallet_id = w.wallet_id and t.wallet_version > w.above and t.wallet_version <= w.upto
          and t.effective_at = t.created_at offset 0) r
      union all select o.entry from others o where o.place <= v_window
    ), found as materialized (
      select r.entry, c.exponent, row_number() over (order by (r.entry).effective_at desc, (r.entry).wallet_id desc,
        (r.entry).wallet_version desc) as place
      from read r join wallet.currencies c on c.code = (r.entry).currency
      where (p_before_at is null or ((r.entry).effective_at, (r.entry).wallet_id, (r.entry).wallet_version)
          < (p_before_at, p_before_wallet, p_before_version))
        and not exists (select from horizon h where ((r.entry).effective_at, (r.entry).wallet_id, (r.entry).wallet_version)
          < (h.created_at, h.wallet_id, h.wallet_version))
        and (p_filters ->> 'type' is null or (r.entry).transaction_type = p_filters ->> 'type')
        and (p_filters ->> 'min_amount' is null or (r.entry).amount >= (p_filters ->> 'min_amount')::numeric)
        and (p_filters ->> 'max_amount' is null or (r.entry).amount <= (p_filters ->> 'max_amount')::numeric)
        and (p_filters ->> 'reference' is null or (r.entry).reference = p_filters ->> 'reference')
        and (p_filters ->> 'counter_account' is null or (r.entry).counter_account = p_filters ->> 'counter_account')
        and (v_metadata is null or not exists (select from jsonb_array_elements(v_metadata) m
          where ((r.entry).metadata ->> (m.value ->> 0)) is distinct from (m.value ->> 1)))
      order by place limit p_limit + 1
    ), last as (    -- the row after which the next page begins
      select (f.entry).effective_at, (f.entry).wallet_id, (f.entry).wallet_version from found f
        where f.place = p_limit and exists (select from found where place > p_limit)
      union all
      select h.* from horizon h where not exists (select from found where place > p_limit)
    )
    select '[' || coalesce((select string_agg(wallet.format_entry(f.entry, f.exponent, p_viewer), ',' order by f.place)
        from found f where f.place <= p_limit), '') || E']\n'
      || coalesce((select json_build_array(wallet.format_time(l.effective_at), l.wallet_id, l.wallet_version)::text
        from last l), ''));
end $$;
