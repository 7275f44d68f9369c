-- A top-up; p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.get_top_up(p_top_up_id uuid, p_viewer text default null) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_top_up billing.top_ups;
begin
  select * into v_top_up from billing.top_ups t where t.top_up_id = p_top_up_id;
  if v_top_up.top_up_id is null or v_top_up.user_id <> p_viewer then
    perform wallet.refuse_call('top_up_not_found', jsonb_build_object('top_up_id', p_top_up_id));
  end if;
  return billing.format_top_up(v_top_up);
end $$;

-- A page of the top-ups of a wallet, newest first: a JSON array, and on a line of its own the id after which the next page begins.
-- p_state: only those in this state.
create or replace function wallet_api.list_top_ups(p_wallet_id uuid, p_viewer text default null, p_state text default null,
  p_after uuid default null, p_limit integer default 50) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  return (select '[' || coalesce(string_agg(billing.format_top_up(t), ',' order by (t).top_up_id desc), '') || ']' || E'\n'
      || coalesce(case when count(*) = p_limit then (array_agg((t).top_up_id order by (t).top_up_id))[1]::text end, '')
    from (select o as t from billing.top_ups o
      where o.wallet_id = p_wallet_id and (p_after is null or o.top_up_id < p_after) and (p_state is null or o.state = p_state)
      order by o.top_up_id desc limit p_limit) r);
end $$;
