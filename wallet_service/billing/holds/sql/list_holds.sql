-- A page of the holds of a wallet, newest first, after what was due on it: a JSON array, and on a line of its own created_at and hold_id
-- after which the next page begins. p_filters: state, reference, from and to (of created_at). A call with a state searches 1,000 holds: a
-- page may be short or empty without being the last.
create or replace function wallet_api.list_holds(p_wallet_id uuid, p_viewer text default null, p_filters jsonb default '{}',
  p_before timestamptz default null, p_before_id uuid default null, p_limit integer default 50) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_state constant text := p_filters ->> 'state';
  v_most constant integer := case when v_state is null then p_limit else greatest(p_limit, 1000) end;
  v_exponent constant integer := (select c.exponent from wallet.wallets w join wallet.currencies c on c.code = w.currency
    where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer));
  v_hold billing.holds;
  v_searched integer := 0;
  v_shown text[] := '{}';
begin
  if v_exponent is null then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  for v_hold in select * from billing.search_holds(p_wallet_id, p_filters, coalesce(p_before, 'infinity'),
      coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), v_most) loop
    v_searched := v_searched + 1;
    if v_state is null or v_state = billing.find_hold_state(v_hold, v_now) then
      v_shown := v_shown || billing.format_hold(v_hold, v_now, v_exponent);
      exit when cardinality(v_shown) = p_limit;
    end if;
  end loop;
  return '[' || array_to_string(v_shown, ',') || E']\n' || case when v_searched = v_most or cardinality(v_shown) = p_limit
    then wallet.format_time(v_hold.created_at) || ' ' || v_hold.hold_id else '' end;
end $$;

-- Holds of a wallet before a place, newest first: those with a reference, or that are open, by their own index; all that can have the
-- state of the filters.
create or replace function billing.search_holds(p_wallet_id uuid, p_filters jsonb, p_before timestamptz, p_before_id uuid, p_limit integer)
returns setof billing.holds
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_from constant timestamptz := coalesce((p_filters ->> 'from')::timestamptz, '-infinity');
  v_to constant timestamptz := coalesce((p_filters ->> 'to')::timestamptz, 'infinity');
begin
  if p_filters ->> 'reference' is not null then
    return query select h.* from billing.holds h where h.wallet_id = p_wallet_id and h.reference = p_filters ->> 'reference'
      and h.created_at >= v_from and h.created_at < v_to and (h.created_at, h.hold_id) < (p_before, p_before_id)
      order by h.created_at desc, h.hold_id desc limit p_limit;
  elsif p_filters ->> 'state' = 'open' then
    return query select h.* from billing.holds h where h.wallet_id = p_wallet_id and h.state = 'open'
      and h.created_at >= v_from and h.created_at < v_to and (h.created_at, h.hold_id) < (p_before, p_before_id)
      order by h.created_at desc, h.hold_id desc limit p_limit;
  else
    return query select h.* from billing.holds h where h.wallet_id = p_wallet_id
      and h.created_at >= v_from and h.created_at < v_to and (h.created_at, h.hold_id) < (p_before, p_before_id)
      order by h.created_at desc, h.hold_id desc limit p_limit;
  end if;
end $$;
