-- Lets what is due on holds of a call's wallets take effect (ledger: open_room_state.sql): a hold is about to end, or expires.
create or replace function billing.settle_holds(p_settlement wallet.settlement, p_now timestamptz) returns wallet.settlement
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_account wallet.account;
  v_due billing.due_hold;
begin
  for i in 1 .. cardinality(p_settlement.accounts) loop
    v_account := p_settlement.accounts[i];
    continue when v_account.is_due is not true or (v_account.marks & 2) = 0;
    loop
      v_due := billing.find_due_hold(v_account.wallet_id);
      exit when v_due.at is null or v_due.at > p_now;
      if v_due.kind = 'notice' then
        perform billing.notice_hold(v_due.hold_id, v_account.exponent, p_now);
      else
        if (v_account.marks & 1) <> 0 then    -- grants that ended while the hold was open
          p_settlement := billing.settle_grants_until(p_settlement, i, v_due.at, p_now);
        end if;
        p_settlement.accounts[i] := billing.expire_hold(p_settlement.accounts[i], v_due.hold_id, p_now);
      end if;
    end loop;
    v_account := p_settlement.accounts[i];
    v_account.due_at := least(v_account.due_at, v_due.at);
    p_settlement.accounts[i] := v_account;
  end loop;
  return p_settlement;
end $$;

-- What is due next on the open holds of a wallet, and when; a notice at its moment comes before the end.
create or replace function billing.find_due_hold(p_wallet_id uuid) returns billing.due_hold
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_due billing.due_hold;
begin
  select d.at, d.kind, d.hold_id into v_due from (
    (select h.expires_at as at, 1 as place, 'expiry' as kind, h.hold_id from billing.holds h
      where h.wallet_id = p_wallet_id and h.state = 'open' order by h.expires_at, h.hold_id limit 1)
    union all
    (select h.notice_at, 0, 'notice', h.hold_id from billing.holds h
      where h.wallet_id = p_wallet_id and h.state = 'open' and h.notice_at < 'infinity' order by h.notice_at, h.hold_id limit 1)
  ) d order by d.at, d.place limit 1;
  return v_due;
end $$;

-- Records that a hold will end soon; not of one that has ended meanwhile, which is due next.
create or replace function billing.notice_hold(p_hold_id uuid, p_exponent integer, p_now timestamptz) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_hold billing.holds;
begin
  update billing.holds h set notice_at = 'infinity' where h.hold_id = p_hold_id returning * into v_hold;
  if v_hold.expires_at > p_now then
    perform platform.record_change('{"actor": "service"}', 'hold.ending', p_hold_id::text,
      billing.format_hold(v_hold, p_now, p_exponent)::jsonb, billing.format_hold(v_hold, p_now, p_exponent)::jsonb,
      v_hold.user_id, v_hold.wallet_id);
  end if;
end $$;

-- A hold expires: what it kept is available again, and its parts of grants are no longer reserved. The account without it.
create or replace function billing.expire_hold(p_account wallet.account, p_hold_id uuid, p_now timestamptz) returns wallet.account
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_hold billing.holds;
  v_before text;
  v_rest numeric;
begin
  select * into v_hold from billing.holds h where h.hold_id = p_hold_id;
  v_before := billing.format_hold(v_hold, '-infinity', p_account.exponent);
  v_rest := billing.find_rest(v_hold);
  update billing.grants g set reserved = g.reserved - p.amount
    from unnest(v_hold.grant_ids, v_hold.grant_amounts) p (grant_id, amount) where g.grant_id = p.grant_id;
  update billing.holds h set state = 'expired', expired = v_rest, ended_at = h.expires_at, notice_at = 'infinity', grant_ids = '{}',
      grant_amounts = '{}'
    where h.hold_id = p_hold_id returning * into v_hold;
  perform platform.record_change('{"actor": "service"}', 'hold.expired', p_hold_id::text, v_before::jsonb,
    billing.format_hold(v_hold, p_now, p_account.exponent)::jsonb, v_hold.user_id, v_hold.wallet_id);
  return billing.change_locked(p_account, -v_rest);
end $$;
