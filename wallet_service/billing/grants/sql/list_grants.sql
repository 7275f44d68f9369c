-- A page of the grants of a wallet, newest first, after what was due on it: a JSON array, and on a line of its own the id after which
-- the next page begins. p_state: only those in this state; p_source: only those with this source.
create or replace function wallet_api.list_grants(p_wallet_id uuid, p_viewer text default null, p_state text default null,
  p_after uuid default null, p_limit integer default 50, p_source text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
declare
  v_now constant timestamptz := wallet.clock();
  v_grants billing.grants[];
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  v_grants := case when p_state is not null then billing.read_grants_in_state(p_wallet_id, p_state, p_source, p_after, p_limit, v_now)
    when p_source is not null then array(select g from billing.grants g
      where g.wallet_id = p_wallet_id and g.source = p_source and (p_after is null or g.grant_id < p_after)
      order by g.grant_id desc limit p_limit)
    else array(select g from billing.grants g
      where g.wallet_id = p_wallet_id and (p_after is null or g.grant_id < p_after)
      order by g.grant_id desc limit p_limit) end;
  return '[' || coalesce((select string_agg(billing.format_grant(g, v_now), ',' order by g.grant_id desc) from unnest(v_grants) g), '')
    || ']' || E'\n' || coalesce(case when cardinality(v_grants) = p_limit then (v_grants[p_limit]).grant_id::text end, '');
end $$;

-- The newest grants of a wallet that are in a state now. The state as it was written is in an index. What is due may be left (on a
-- replica; or a hold reserves what has expired): such grants have another one, and are among the live ones, of which there are few.
create or replace function billing.read_grants_in_state(p_wallet_id uuid, p_state text, p_source text, p_after uuid, p_limit integer,
  p_now timestamptz) returns billing.grants[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return array(select g from (
      (select o as g from billing.grants o
        where o.wallet_id = p_wallet_id and o.standing = p_state and p_state in ('used', 'expired', 'voided')
          and (p_after is null or o.grant_id < p_after) and (p_source is null or o.source = p_source)
        order by o.grant_id desc limit p_limit)
      union all
      (select o from billing.grants o
        where o.wallet_id = p_wallet_id and o.standing in ('active', 'scheduled') and p_state in ('active', 'scheduled', 'expired')
          and (p_after is null or o.grant_id < p_after) and (p_source is null or o.source = p_source)
          and billing.find_grant_state(o, p_now) = p_state
        order by o.grant_id desc limit p_limit)) u
    order by (u.g).grant_id desc limit p_limit);
end $$;
