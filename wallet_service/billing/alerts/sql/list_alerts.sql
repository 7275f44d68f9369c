-- A page of the alerts of a wallet, newest first, after what was due on it: a JSON array, and on a line of its own the id after which
-- the next page begins. p_viewer: the user of the request, or null for a service.
create or replace function wallet_api.list_alerts(p_wallet_id uuid, p_viewer text default null, p_after uuid default null,
  p_limit integer default 50) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  perform billing.check_alert_reader(p_wallet_id, p_viewer);
  return (select '[' || coalesce(string_agg(billing.format_alert(l, billing.find_exponent(l.currency))::text, ',' order by l.alert_id desc), '')
      || ']' || E'\n' || coalesce(case when count(*) = p_limit then (array_agg(l.alert_id order by l.alert_id))[1]::text end, '')
    from (select o.* from billing.alerts o where o.wallet_id = p_wallet_id and (p_after is null or o.alert_id < p_after)
      order by o.alert_id desc limit p_limit) l);
end $$;

-- An alert of a wallet, after what was due on it.
create or replace function wallet_api.get_alert(p_wallet_id uuid, p_alert_id uuid, p_viewer text default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_alert billing.alerts;
begin
  perform billing.check_alert_reader(p_wallet_id, p_viewer);
  select * into v_alert from billing.alerts l where l.alert_id = p_alert_id and l.wallet_id = p_wallet_id;
  if not found then
    perform wallet.refuse_call('alert_not_found', jsonb_build_object('alert_id', p_alert_id));
  end if;
  return billing.format_alert(v_alert, billing.find_exponent(v_alert.currency));
end $$;

-- Refuses the call of a reader that may not see a wallet; otherwise lets take effect what is due on it.
create or replace function billing.check_alert_reader(p_wallet_id uuid, p_viewer text) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from wallet.wallets w where w.wallet_id = p_wallet_id and (p_viewer is null or w.user_id = p_viewer)) then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
end $$;
