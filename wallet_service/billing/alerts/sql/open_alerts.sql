-- Reads between which available balances no alert of the marked wallets of a call changes (ledger: open_room_state.sql). The alerts
-- themselves are read when a balance leaves this range. What was due on a wallet counts as one operation: its end is compared.
create or replace function billing.open_alerts(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state wallet.room_state := p_settlement.state;
  v_account wallet.account;
begin
  select array_agg(r.wallet_id), array_agg(r.above), array_agg(r.below), array_agg(r.is_percent)
    into v_state.alert_wallets, v_state.alert_floors, v_state.alert_ceilings, v_state.alert_percents
    from (select l.wallet_id, max(l.quiet_above) as above, min(l.quiet_below) as below, bool_or(l.percent is not null) as is_percent
      from unnest(p_settlement.accounts) a join billing.alerts l on l.wallet_id = a.wallet_id
      where (a.marks & 8) <> 0 group by l.wallet_id) r;
  foreach v_account in array p_settlement.accounts loop
    if v_account.is_due and v_account.wallet_id = any (v_state.alert_wallets) then
      v_state := billing.compare_alerts(v_state, v_account, v_account.balance, p_settlement.entries, false,
        greatest(p_now, v_account.last_posted_at), null);
    end if;
  end loop;
  p_settlement.state := v_state;
  return p_settlement;
end $$;
