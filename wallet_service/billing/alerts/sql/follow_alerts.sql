-- Compares the available balances of an operation's wallets with their alerts (ledger: open_room_state.sql): at each operation, so
-- that a call whose operations let a balance fall and rise again has the events of both. Operations of a unit that is reverted have
-- none: the state is reverted with it.
create or replace function billing.follow_alerts(p_operation wallet.operation, p_step wallet.step, p_now timestamptz)
returns wallet.step
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_entries constant wallet.wallet_transactions[] := coalesce((p_step.decision).entries, '{}');
  v_account wallet.account;
  v_entry wallet.wallet_transactions;
  v_index integer;
  v_balance numeric;
  v_available numeric;
  v_grants boolean;
begin
  foreach v_account in array coalesce(p_step.accounts, '{}') loop
    v_index := array_position((p_step.state).alert_wallets, v_account.wallet_id);
    continue when v_index is null;
    v_balance := v_account.balance;
    v_grants := false;
    foreach v_entry in array v_entries loop
      if v_entry.wallet_id = v_account.wallet_id then
        v_balance := v_entry.balance_after;
        v_grants := v_grants or v_entry.direction = 'credit' or v_entry.transaction_type = 'grant_void';
      end if;
    end loop;
    v_available := v_balance - v_account.locked_balance;
    if v_available <= (p_step.state).alert_floors[v_index] or v_available >= (p_step.state).alert_ceilings[v_index]
        or (v_grants or p_operation.form = 'refund') and (p_step.state).alert_percents[v_index] then
      p_step.state := billing.compare_alerts(p_step.state, v_account, v_balance, v_entries, p_operation.form = 'refund',
        greatest(p_now, v_account.last_posted_at), p_operation.caller);
    end if;
  end loop;
  return p_step;
end $$;

-- Compares a wallet's alerts with its balance after an operation with these entries, or after what was due. p_caller: of the
-- operation, as far as the kernel knows it; null: the service.
create or replace function billing.compare_alerts(p_state wallet.room_state, p_account wallet.account, p_balance numeric,
  p_entries wallet.wallet_transactions[], p_is_refund boolean, p_at timestamptz, p_caller jsonb) returns wallet.room_state
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_index constant integer := array_position(p_state.alert_wallets, p_account.wallet_id);
  v_available constant numeric := p_balance - p_account.locked_balance;
  v_old billing.alerts;
  v_new billing.alerts;
begin
  if not exists (select from unnest(p_state.alerts_held) h where h.wallet_id = p_account.wallet_id) then
    p_state.alerts_held := p_state.alerts_held || array(select l from billing.alerts l where l.wallet_id = p_account.wallet_id
      order by l.alert_id);
  end if;
  p_state.alert_floors[v_index] := '-Infinity';
  p_state.alert_ceilings[v_index] := 'Infinity';
  for i in 1 .. coalesce(cardinality(p_state.alerts_held), 0) loop
    v_old := p_state.alerts_held[i];
    continue when v_old.wallet_id <> p_account.wallet_id;
    v_new := v_old;
    if v_old.percent is not null then
      v_new.granted := billing.find_granted_after(p_state, v_old, p_balance, p_entries, p_is_refund);
    end if;
    v_new := billing.place_alert(v_new, p_account.exponent, v_available);
    if v_new.state <> v_old.state then
      v_new.crossed_at := p_at;
      v_new.crossed_balance := v_available;
      v_new.transaction_id := (select e.transaction_id from unnest(p_entries) with ordinality as e
        where e.wallet_id = p_account.wallet_id order by e.ordinality desc limit 1);
      p_state.alert_crossings := p_state.alert_crossings || row(
        case v_new.state when 'ok' then 'balance.recovered' when 'low' then 'balance.low' else 'balance.depleted' end,
        v_new.alert_id, v_new.wallet_id, v_new.user_id, billing.format_alert(v_old, p_account.exponent)::jsonb,
        billing.format_alert(v_new, p_account.exponent)::jsonb, coalesce(p_caller, '{"actor": "service"}'))::billing.alert_crossing;
    end if;
    p_state.alerts_held[i] := v_new;
    p_state.alert_floors[v_index] := greatest(p_state.alert_floors[v_index], v_new.quiet_above);
    p_state.alert_ceilings[v_index] := least(p_state.alert_ceilings[v_index], v_new.quiet_below);
  end loop;
  return p_state;
end $$;

-- What a percentage is of, after these entries: a credit makes it the balance, with what was used of the grants that still last;
-- what is left of a grant at its end is gone from it, with what was used of the grant. The refund of a credit takes from it. That of
-- a debit gives nothing to it, but what goes to a new grant, because the old one has ended.
create or replace function billing.find_granted_after(p_state wallet.room_state, p_alert billing.alerts, p_balance numeric,
  p_entries wallet.wallet_transactions[], p_is_refund boolean) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_granted numeric := p_alert.granted;
  v_entry wallet.wallet_transactions;
begin
  foreach v_entry in array p_entries loop
    if v_entry.wallet_id <> p_alert.wallet_id then
      continue;
    elsif p_is_refund and v_entry.direction = 'debit' then
      v_granted := v_granted - v_entry.amount;
    elsif p_is_refund then
      v_granted := v_granted + (select coalesce(sum(n.amount), 0) from unnest(p_state.grants_new) n
        where n.wallet_id = p_alert.wallet_id and n.transaction_id = v_entry.transaction_id);
    elsif v_entry.direction = 'credit' then
      return greatest(0, p_balance + billing.sum_used(p_state, p_alert.wallet_id));
    elsif v_entry.transaction_type in ('grant_expiry', 'grant_void') then
      v_granted := v_granted - v_entry.amount - billing.find_used(p_state, p_alert.wallet_id, (v_entry.metadata ->> 'grant_id')::uuid);
    end if;
  end loop;
  return greatest(0, v_granted);
end $$;

-- What was used of the grants of a wallet that still last, as this call has decided.
create or replace function billing.sum_used(p_state wallet.room_state, p_wallet_id uuid) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_index constant integer := array_position(p_state.grant_wallets, p_wallet_id);
  v_held billing.wallet_grants;
begin
  if v_index is null then
    return 0;
  end if;
  v_held := billing.read_all_grants(p_wallet_id, p_state.grants_held[v_index]);
  return (select coalesce(sum(g.used + g.overdrawn), 0) from unnest(v_held.grants) g where g.remaining > 0 and g.ended is null);
end $$;

-- What was used of a grant that has ended; 0 of one that lasts.
create or replace function billing.find_used(p_state wallet.room_state, p_wallet_id uuid, p_grant_id uuid) returns numeric
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_held constant billing.wallet_grants := p_state.grants_held[array_position(p_state.grant_wallets, p_wallet_id)];
begin
  return coalesce((select case when g.ended is null then 0 else g.used + g.overdrawn end from unnest(v_held.grants) g
      where g.grant_id = p_grant_id),
    (select g.used + g.overdrawn from billing.grants g where g.grant_id = p_grant_id and g.ended is not null), 0);
end $$;

-- An alert with its state at an available balance, and the balances between which it stays.
create or replace function billing.place_alert(p_alert billing.alerts, p_exponent integer, p_available numeric) returns billing.alerts
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  v_threshold constant numeric := billing.find_threshold(p_alert, p_exponent, 0);
  v_recovery constant numeric := billing.find_threshold(p_alert, p_exponent, p_alert.hysteresis);
begin
  p_alert.state := case when p_available <= 0 then 'depleted' when p_available <= v_threshold then 'low'
    when p_alert.state <> 'ok' and p_available < v_recovery then 'low' else 'ok' end;
  p_alert.quiet_above := case p_alert.state when 'ok' then v_threshold when 'low' then 0 else '-Infinity' end;
  p_alert.quiet_below := case p_alert.state when 'ok' then 'Infinity' when 'low' then v_recovery else 0 end;
  return p_alert;
end $$;

-- The balance at which an alert is low, or with p_more, in its unit, how far above that.
create or replace function billing.find_threshold(p_alert billing.alerts, p_exponent integer, p_more numeric) returns numeric
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  return case when p_alert.percent is null then p_alert.amount + p_more
    else round(p_alert.granted * (p_alert.percent + p_more) / 100, p_exponent) end;
end $$;
