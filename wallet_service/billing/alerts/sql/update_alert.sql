-- Changes an alert by a merge patch: name, amount or percent, hysteresis. p_version: the version that the caller read, or null. It gets
-- the state of the balance as it is, without an event of a crossing. Returns it.
create or replace function wallet_api.update_alert(p_wallet_id uuid, p_alert_id uuid, p_user_id text, p_version bigint, p_changes jsonb,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_wallet wallet.wallets := billing.lock_settled(p_wallet_id, p_user_id);
  v_old billing.alerts := billing.find_own_alert(p_wallet_id, p_alert_id, p_user_id, p_version);
  v_new billing.alerts := billing.define_alert(v_old, p_changes, v_wallet);
begin
  if v_new is distinct from v_old then
    v_new.version := v_old.version + 1;
    v_new.updated_at := greatest(wallet.clock(), v_old.updated_at);
    update billing.alerts l set name = v_new.name, amount = v_new.amount, percent = v_new.percent, hysteresis = v_new.hysteresis,
        granted = v_new.granted, state = v_new.state, quiet_above = v_new.quiet_above, quiet_below = v_new.quiet_below,
        version = v_new.version, updated_at = v_new.updated_at
      where l.alert_id = p_alert_id returning * into v_new;
    perform billing.record_alert(p_caller, 'alert.updated', v_old, v_new);
  end if;
  return billing.format_alert(v_new, billing.find_exponent(v_new.currency));
end $$;

-- Deletes an alert, also one of a closed wallet; with the last one of a wallet, its mark. p_version: as of update_alert.
create or replace function wallet_api.delete_alert(p_wallet_id uuid, p_alert_id uuid, p_user_id text, p_version bigint,
  p_caller jsonb default null) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  v_old billing.alerts;
begin
  perform wallet.require_read_committed();
  -- As wallet.lock_wallet, but nothing of the wallet itself changes: so it may be closed.
  perform from wallet.wallets w where w.wallet_id = p_wallet_id and (p_user_id is null or w.user_id = p_user_id) for no key update;
  if not found then
    perform wallet.refuse_call('wallet_not_found', jsonb_build_object('wallet_id', p_wallet_id));
  end if;
  perform wallet.settle_before_read(p_wallet_id);
  v_old := billing.find_own_alert(p_wallet_id, p_alert_id, p_user_id, p_version);
  delete from billing.alerts l where l.alert_id = p_alert_id;
  if not exists (select from billing.alerts l where l.wallet_id = p_wallet_id) then
    update wallet.wallets w set marks = w.marks & ~8 where w.wallet_id = p_wallet_id;
  end if;
  perform billing.record_alert(p_caller, 'alert.deleted', v_old, null);
  return 'true';
end $$;

-- An alert that the caller may change: the owner (p_user_id) those of the owner, the operator those of the operator. Refuses the call
-- otherwise, and where it has another version (null: any).
create or replace function billing.find_own_alert(p_wallet_id uuid, p_alert_id uuid, p_user_id text, p_version bigint)
returns billing.alerts
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_alert billing.alerts;
begin
  select * into v_alert from billing.alerts l where l.alert_id = p_alert_id and l.wallet_id = p_wallet_id;
  if not found then
    perform wallet.refuse_call('alert_not_found', jsonb_build_object('alert_id', p_alert_id));
  elsif v_alert.set_by <> (case when p_user_id is null then 'operator' else 'owner' end) then
    perform wallet.refuse_call('alert_not_own', jsonb_build_object('alert_id', p_alert_id, 'set_by', v_alert.set_by));
  elsif v_alert.version <> p_version then
    perform wallet.refuse_call('version_mismatch', jsonb_build_object('version', v_alert.version));
  end if;
  return v_alert;
end $$;
