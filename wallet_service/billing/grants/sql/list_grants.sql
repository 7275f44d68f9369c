-- A page of the grants of a wallet, newest first, after what was due on it: a JSON array, and on a line of its own the id after which
-- the next page begins. p_state: only those in this state.
create or replace function wallet_api.list_grants(p_wallet_id uuid, p_viewer text default null, p_state text default null,
  p_after uuid default null, p_limit integer default 50) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_now constant timestamptz := wallet.clock();
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  return (select '[' || coalesce(string_agg(billing.format_grant(g, v_now), ',' order by (g).grant_id desc), '') || ']' || E'\n'
      || coalesce(case when count(*) = p_limit then (array_agg((g).grant_id order by (g).grant_id))[1]::text end, '')
    from (select o as g from billing.grants o
      where o.wallet_id = p_wallet_id and (p_after is null or o.grant_id < p_after)
        and (p_state is null or billing.find_grant_state(o, v_now) = p_state)
      order by o.grant_id desc limit p_limit) r);
end $$;
